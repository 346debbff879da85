"""Exact ends of moments: move a time to a cut or cross-fade to another scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rdmf_cli.video.decoders import choose
from rdmf_cli.video.decoders.base import Scan, Tally
from rdmf_cli.video.timeline import exact

WITHIN_SECONDS = 2.0  # a clip of the usual length: the head is rarely wrong by more
SEEN_SIZE = (64, 36)  # pixels; a cut shows in pictures of this size
LEAST_DIFFERENCE = 12.0  # of 255, mean over the picture; movement causes smaller differences
LEAST_RATIO = 3.0  # to the median difference nearby; in fast movement all frames differ
NEARBY_SECONDS = 1.0
SCENE_SECONDS = 0.5  # of the scene before a cut and of the scene after it that are compared
SCENE_FRAMES = 5  # of each of the two
FADE_SECONDS = (0.5, 1.0, 2.0)  # lengths of cross-fades that are looked for
LEAST_FADE = 40.0  # of 255, between the pictures before and after; slow movement has less
LEAST_BLEND = 0.2  # see `_fades`; movement and cuts have less
FULL_DIFFERENCE = 60.0  # of 255; scenes that differ more are simply different


class Place(NamedTuple):
    """A time to move.

    Attributes:
        time: A player's time, in seconds.
        low: The earliest time to move to.
        high: The latest time to move to.
        edge: A time that counts as a cut: the beginning or the end of the video; None: no such
            time.
    """

    time: float
    low: float = 0.0
    high: float = np.inf
    edge: float | None = None


def moved_to_cuts(
    scan: Scan, places: Sequence[Place], within: float = WITHIN_SECONDS
) -> list[float]:
    """Move each time to a cut nearby, if there is one.

    A cut is a frame that differs far more from the frame before it than neighbouring frames differ
    from one another. The middle of a cross-fade counts as a cut. Of several cuts, the best one
    separates different scenes and is near: a flash, or a jump within one scene, has pictures before
    it that resemble pictures after it.

    Args:
        scan: The video.
        places: The times.
        within: How many seconds on each side of a time are searched for a cut.

    Returns:
        For each time: the time of the first frame after the cut, or the time itself.
    """
    edges = player_times(scan)
    windows = [np.flatnonzero(np.abs(edges - place.time) <= within) for place in places]
    numbers = np.concatenate([*windows, np.empty(0, np.int64)]).astype(np.int64)
    wanted = np.union1d(numbers, np.maximum(numbers - 1, 0))  # each frame, and the frame before it
    seen = _small_pictures(scan, wanted)
    return [
        _best_cut(place, within, [*_cuts(edges, window, seen), *_fades(edges, window, seen)])
        for place, window in zip(places, windows, strict=True)
    ]


def player_times(scan: Scan) -> np.ndarray:
    """Return when a player shows each frame, in seconds, float64 (F,)."""
    timeline = scan.timeline
    since_first = (timeline.shown - timeline.start) * float(timeline.time_base)
    return since_first + float(exact(scan.info.clock.begins))


def _small_pictures(scan: Scan, frames: np.ndarray) -> dict[int, np.ndarray]:
    """Decode frames by their number, as int16 (36, 64, 3)."""
    if not len(frames):
        return {}
    number = {int(pts): int(n) for n, pts in zip(frames, scan.timeline.shown[frames], strict=True)}
    _, decoder = choose("auto", scan)
    small = replace(scan, picture_size=SEEN_SIZE)
    found = decoder.pictures(small, scan.timeline.shown[frames], Tally())
    return {number[p.wanted]: p.image.astype(np.int16) for p in found}


class _Cut(NamedTuple):
    """A cut: the time of the first frame after it, and how different the scenes are, 0 to 1."""

    time: float
    difference: float


def _cuts(edges: np.ndarray, window: np.ndarray, seen: dict[int, np.ndarray]) -> list[_Cut]:
    """Find the cuts among the frames of a window."""
    numbers = np.array([n for n in window.tolist() if n in seen and n - 1 in seen], np.int64)
    if len(numbers) < 3:  # too few to tell a cut from movement
        return []
    times = edges[numbers]
    differences = np.array([np.abs(seen[n] - seen[n - 1]).mean() for n in numbers.tolist()])
    found = []
    for n, time, difference in zip(numbers.tolist(), times, differences, strict=True):
        nearby = differences[np.abs(times - time) <= NEARBY_SECONDS]
        if difference >= max(LEAST_DIFFERENCE, LEAST_RATIO * float(np.median(nearby))):
            before = [seen[m] for m in _few(edges, n - 1, -1, seen)]
            after = [seen[m] for m in _few(edges, n, 1, seen)]
            apart = min(float(np.abs(a - b).mean()) for a in before for b in after)
            found.append(_Cut(float(time), min(apart / FULL_DIFFERENCE, 1.0)))
    return found


def _fades(edges: np.ndarray, window: np.ndarray, seen: dict[int, np.ndarray]) -> list[_Cut]:
    """Find the cross-fades among the frames of a window; the time of a fade is its middle.

    In a cross-fade from picture A to picture B, the pictures in between are mixtures of A and B, so
    they can be told from A and B. The blend of a frame is 1 if the frame and those a quarter before
    and after it are these mixtures, and 0 or less in movement and at a cut.
    """
    if len(window) < 2:
        return []
    step = float(np.median(np.diff(edges[window])))
    found: list[tuple[float, int, int, float]] = []  # worth, frame, half of the length, difference
    for half in {round(seconds / 2 / step) for seconds in FADE_SECONDS}:
        for n in window.tolist() if half >= 2 else ():
            if n - half in seen and n + half in seen:
                difference, blend = _blend(n, half, seen)
                if difference >= LEAST_FADE and blend >= LEAST_BLEND:
                    worth = min(difference, FULL_DIFFERENCE) * blend
                    found.append((worth, n, half, difference))
    fades: list[_Cut] = []
    taken: list[tuple[int, int]] = []
    for _, n, half, difference in sorted(found, reverse=True):
        if all(abs(n - other) > max(half, reach) for other, reach in taken):
            taken.append((n, half))
            fades.append(_Cut(float(edges[n]), min(difference / FULL_DIFFERENCE, 1.0)))
    return fades


def _blend(n: int, half: int, seen: dict[int, np.ndarray]) -> tuple[float, float]:
    """Return the difference of the pictures around a frame, and how far it is a blend of them."""
    first, last = (seen[n + by].astype(np.float32) for by in (-half, half))
    difference = float(np.abs(last - first).mean())
    if difference < LEAST_FADE:
        return difference, 0.0
    quarter = half // 2
    missed = 0.0
    for by in (-quarter, 0, quarter):
        if n + by not in seen:
            return difference, 0.0
        mixture = first + (last - first) * (half + by) / (2 * half)
        missed += float(np.abs(seen[n + by] - mixture).mean())
    return difference, 1.0 - missed / difference


def _few(edges: np.ndarray, first: int, step: int, seen: dict[int, np.ndarray]) -> list[int]:
    """Return the numbers of a few frames of a scene, from a frame forwards or backwards."""
    numbers = [first]
    while (n := numbers[-1] + step) in seen and abs(edges[n] - edges[first]) < SCENE_SECONDS:
        numbers.append(n)
    return numbers[:: -(-len(numbers) // SCENE_FRAMES)]


def _best_cut(place: Place, within: float, cuts: Sequence[_Cut]) -> float:
    """Return the time of the cut that is best by difference and distance, or the time itself."""
    if place.edge is not None and abs(place.edge - place.time) <= within:
        cuts = [*cuts, _Cut(place.edge, 1.0)]
    possible = [cut for cut in cuts if place.low <= cut.time <= place.high]
    if not possible:
        return place.time

    def worth(cut: _Cut) -> float:
        return cut.difference * float(np.exp(-2 * abs(cut.time - place.time) / within))

    return max(possible, key=worth).time

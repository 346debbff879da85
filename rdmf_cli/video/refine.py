"""Exact ends of moments: move a time to the nearest cut, exact to the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rdmf_cli.video.decoders import choose
from rdmf_cli.video.decoders.base import Scan, Tally
from rdmf_cli.video.timeline import exact

WITHIN_SECONDS = 1.0  # half a clip of the usual length
SEEN_SIZE = (64, 36)  # pixels; a cut shows in pictures of this size
LEAST_DIFFERENCE = 12.0  # of 255, mean over the picture; movement causes smaller differences
LEAST_RATIO = 4.0  # to the median difference nearby; in fast movement all frames differ


def moved_to_cuts(
    scan: Scan, times: Sequence[float], within: float = WITHIN_SECONDS
) -> list[float]:
    """Move each time to the nearest cut, if a cut is close to the time.

    A cut is a frame that differs far more from the frame before it than neighbouring frames differ
    from one another. A cross-fade has no such frame, so times in a cross-fade stay the same.

    Args:
        scan: The video.
        times: Player's times, in seconds.
        within: How many seconds on each side of a time are searched for a cut.

    Returns:
        For each time: the time of the first frame after the cut, or the time itself.
    """
    edges = player_times(scan)
    windows = [np.flatnonzero(np.abs(edges - time) <= within) for time in times]
    numbers = np.concatenate([*windows, np.empty(0, np.int64)]).astype(np.int64)
    wanted = np.union1d(numbers, np.maximum(numbers - 1, 0))  # each frame, and the frame before it
    seen = _small_pictures(scan, wanted)
    return [
        _nearest_cut(edges, window, seen, time) for time, window in zip(times, windows, strict=True)
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


def _nearest_cut(
    edges: np.ndarray, window: np.ndarray, seen: dict[int, np.ndarray], time: float
) -> float:
    pairs = [int(n) for n in window if int(n) in seen and int(n) - 1 in seen]
    if len(pairs) < 3:  # too few to tell a cut from movement
        return time
    differences = np.array([np.abs(seen[n] - seen[n - 1]).mean() for n in pairs])
    least = max(LEAST_DIFFERENCE, LEAST_RATIO * float(np.median(differences)))
    cuts = [n for n, difference in zip(pairs, differences, strict=True) if difference >= least]
    if not cuts:
        return time
    return float(edges[min(cuts, key=lambda n: abs(edges[n] - time))])

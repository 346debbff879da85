"""Disturbances of a video: foreign clips, repeats, noise, other clip lengths, longer footage.

Each disturbance is a pure function of a `Footage` (rows and moments) and of random numbers.
Training uses some of them (`training/footage.py`); `benchmarks/robustness.py` measures the effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rdmf_cli.datasets.sample import Sample
from rdmf_cli.features.files import normalise_rows

Rows = npt.NDArray[np.float32]
Windows = npt.NDArray[np.float64]
Clips = npt.NDArray[np.int_]

FOREIGN = -1
"""The value of `Footage.source` for a clip of another video."""


@dataclass(frozen=True, eq=False)
class Footage:
    """A video and its moments.

    Attributes:
        rows: (L, R, D) features of the clips, rows of unit length.
        windows: (G, 2) [start, end] of the moments in seconds.
        clip_length: seconds.
        source: (L,) for each clip, the number of the clip in the undisturbed video, or FOREIGN.
    """

    rows: Rows
    windows: Windows
    clip_length: float
    source: Clips

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self) * self.clip_length

    def with_clips(self, clips: Clips) -> Footage:
        """Replace the L clips by n of them: clip numbers (n,). Moments stay at their times."""
        return replace(self, rows=self.rows[clips], source=self.source[clips])


def footage_of(sample: Sample) -> Footage:
    """Return the undisturbed footage of a sample; no moment ends after the last clip."""
    clips, windows = len(sample.rows), sample.annotation.windows
    windows = np.zeros((0, 2)) if windows is None else np.asarray(windows, np.float64)
    within = np.minimum(windows.reshape(-1, 2), clips * sample.clip_length)
    return Footage(sample.rows, within, sample.clip_length, np.arange(clips))


def sample_in(sample: Sample, footage: Footage) -> Sample:
    """Return the sample of disturbed footage.

    Each clip keeps its ratings; foreign clips have no ratings. The function does not support
    samples with labels of every clip, because labels cannot move with the clips.
    """
    annotation = sample.annotation
    windows = None if annotation.windows is None else footage.windows
    ids, ratings = annotation.clip_ids, annotation.ratings
    if ids is not None and ratings is not None:
        clip, rated = np.nonzero(footage.source[:, None] == ids)
        ids, ratings = clip, ratings[rated]
    changed = replace(
        annotation,
        windows=windows,
        clip_ids=ids,
        ratings=ratings,
        duration=footage.seconds,
    )
    return replace(
        sample,
        annotation=changed,
        rows=footage.rows,
        clip_length=footage.clip_length,
        duration=footage.seconds,
    )


def with_noise(footage: Footage, level: float, rng: np.random.Generator) -> Footage:
    """Add noise to every row: a random direction, with `level` times the length of the row."""
    noise = normalise_rows(rng.standard_normal(footage.rows.shape).astype(np.float32))
    return replace(footage, rows=normalise_rows(footage.rows + np.float32(level) * noise))


def with_foreign_clips(
    footage: Footage, share: float, others: Sequence[Rows], rng: np.random.Generator
) -> Footage:
    """Replace a share of the clips, one by one, by clips of other videos.

    Args:
        footage: the footage.
        share: share of the clips, in [0, 1].
        others: rows of other videos, (N, R, D) each.
        rng: draws the clips to replace, and the foreign clips.
    """
    places = rng.permutation(len(footage))[: round(share * len(footage))]
    rows, source = footage.rows.copy(), footage.source.copy()
    for place in places:
        other = others[int(rng.integers(len(others)))]
        rows[place] = other[int(rng.integers(len(other)))]
    source[places] = FOREIGN
    return replace(footage, rows=rows, source=source)


def with_insertions(
    footage: Footage, every: int, length: int, others: Sequence[Rows], rng: np.random.Generator
) -> Footage:
    """Insert parts of other videos, like advertisements: `length` clips after every `every` clips.

    An interrupted moment continues after the insertion.

    Args:
        footage: the footage.
        every: clips of the video between two insertions.
        length: clips of an insertion.
        others: rows of other videos, (N, R, D) each.
        rng: draws the parts to insert.
    """
    rows: list[np.ndarray] = []
    source: list[np.ndarray] = []
    place: list[np.ndarray] = []  # the new position of each clip of the footage
    for start in range(0, len(footage), every):
        if start:
            other = others[int(rng.integers(len(others)))]
            first = int(rng.integers(max(len(other) - length, 0) + 1))
            rows.append(other[first : first + length])
            source.append(np.full(len(rows[-1]), FOREIGN))
        own = slice(start, min(start + every, len(footage)))
        place.append(np.arange(own.stop - own.start) + sum(map(len, rows)))
        rows.append(footage.rows[own])
        source.append(footage.source[own])
    return replace(
        footage,
        rows=np.concatenate(rows),
        windows=_moved(footage, np.concatenate(place)),
        source=np.concatenate(source),
    )


def _moved(footage: Footage, place: Clips) -> Windows:
    """Return the windows after clip i moved to `place[i]`; an end moves with the clip before it."""
    start, end = (footage.windows / footage.clip_length).T
    first = np.clip(np.floor(start).astype(int), 0, len(place) - 1)
    last = np.clip(np.ceil(end).astype(int) - 1, 0, len(place) - 1)
    moved = np.stack([place[first] + start - first, place[last] + end - last], axis=1)
    return moved * footage.clip_length


def with_repeats(footage: Footage, share: float, rng: np.random.Generator) -> Footage:
    """Replace a share of the clips by the clip before each of them, as in static footage."""
    shown = np.arange(len(footage))
    drawn = rng.permutation(np.arange(1, len(shown)))[: round(share * len(shown))]
    for clip in np.sort(drawn):
        shown[clip] = shown[clip - 1]
    return footage.with_clips(shown)


def with_short_clips(footage: Footage, parts: int = 2) -> Footage:
    """Split every clip into equal parts; each part has the features of the whole clip."""
    finer = footage.with_clips(np.repeat(np.arange(len(footage)), parts))
    return replace(finer, clip_length=footage.clip_length / parts)


def with_long_clips(footage: Footage, together: int = 2) -> Footage:
    """Join every `together` neighbouring clips into their mean; the last clip may have fewer."""
    starts = np.arange(0, len(footage), together)
    sums = np.add.reduceat(footage.rows, starts, axis=0)
    return replace(
        footage,
        rows=normalise_rows(sums).astype(np.float32),
        clip_length=footage.clip_length * together,
        source=footage.source[starts],
    )


def among(footage: Footage, others: Sequence[Rows], place: int) -> Footage:
    """Join the video with other videos; `place` of the other videos come before the video.

    Args:
        footage: the footage.
        others: rows of other videos, (N, R, D) each.
        place: number of other videos before the video.
    """
    before = sum(len(rows) for rows in others[:place])
    behind = sum(len(rows) for rows in others[place:])
    source = [np.full(before, FOREIGN), footage.source, np.full(behind, FOREIGN)]
    return replace(
        footage,
        rows=np.concatenate([*others[:place], footage.rows, *others[place:]]),
        windows=footage.windows + before * footage.clip_length,
        source=np.concatenate(source),
    )

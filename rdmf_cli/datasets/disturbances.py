"""Disturbances of a video: foreign clips, repeats, noise, other clip lengths, longer footage.

Each is a pure function of a `Footage` (rows and moments) and of what is drawn. Training shows some
of them (`training/footage.py`), and `benchmarks/robustness.py` measures what they cost.
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
"""Source of a clip that comes from another video."""


@dataclass(frozen=True, eq=False)
class Footage:
    """A video and its moments.

    Attributes:
        rows: (L, R, D) features of the clips, rows of unit length.
        windows: (G, 2) [start, end] of the moments in seconds.
        clip_length: seconds.
        source: (L,) for each clip, the clip of the undisturbed video that it shows, or FOREIGN.
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
        """Show these clips (n,) in place of the L clips; moments stay where they are."""
        return replace(self, rows=self.rows[clips], source=self.source[clips])


def footage_of(sample: Sample) -> Footage:
    """Take the footage of a sample, undisturbed; moments end with the last clip at the latest."""
    clips, windows = len(sample.rows), sample.annotation.windows
    windows = np.zeros((0, 2)) if windows is None else np.asarray(windows, np.float64)
    within = np.minimum(windows.reshape(-1, 2), clips * sample.clip_length)
    return Footage(sample.rows, within, sample.clip_length, np.arange(clips))


def sample_in(sample: Sample, footage: Footage) -> Sample:
    """Return the sample as it is in disturbed footage.

    Ratings follow the clips that they were given to, and foreign clips have none. Labels of every
    clip of the video cannot follow, so samples that have them are not for this.
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
    """Add noise of a random direction, `level` times as long as a row, to every row."""
    noise = normalise_rows(rng.standard_normal(footage.rows.shape).astype(np.float32))
    return replace(footage, rows=normalise_rows(footage.rows + np.float32(level) * noise))


def with_foreign_clips(
    footage: Footage, share: float, others: Sequence[Rows], rng: np.random.Generator
) -> Footage:
    """Replace a share of the clips, one by one, by clips of other videos.

    Args:
        footage: the footage.
        share: of the clips, in [0, 1].
        others: rows of other videos, (N, R, D) each.
        rng: draws which clips are replaced, and by which.
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
    """Insert parts of other videos, as advertisements are: so many clips after every so many.

    A moment that is interrupted goes on behind the insertion.

    Args:
        footage: the footage.
        every: clips of the video between two insertions.
        length: clips of an insertion.
        others: rows of other videos, (N, R, D) each.
        rng: draws which parts are inserted.
    """
    rows: list[np.ndarray] = []
    source: list[np.ndarray] = []
    place: list[np.ndarray] = []  # where each clip of the footage stands
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
    """Return the windows where clip i stands at `place[i]`; an end stays with the clip before."""
    start, end = (footage.windows / footage.clip_length).T
    first = np.clip(np.floor(start).astype(int), 0, len(place) - 1)
    last = np.clip(np.ceil(end).astype(int) - 1, 0, len(place) - 1)
    moved = np.stack([place[first] + start - first, place[last] + end - last], axis=1)
    return moved * footage.clip_length


def with_repeats(footage: Footage, share: float, rng: np.random.Generator) -> Footage:
    """Let a share of the clips show what the clip before them shows, as static footage does."""
    shown = np.arange(len(footage))
    drawn = rng.permutation(np.arange(1, len(shown)))[: round(share * len(shown))]
    for clip in np.sort(drawn):
        shown[clip] = shown[clip - 1]
    return footage.with_clips(shown)


def with_short_clips(footage: Footage, parts: int = 2) -> Footage:
    """Cut every clip into parts that all show the same."""
    finer = footage.with_clips(np.repeat(np.arange(len(footage)), parts))
    return replace(finer, clip_length=footage.clip_length / parts)


def with_long_clips(footage: Footage, together: int = 2) -> Footage:
    """Join neighbouring clips into one that shows their mean; the last one may join fewer."""
    starts = np.arange(0, len(footage), together)
    sums = np.add.reduceat(footage.rows, starts, axis=0)
    return replace(
        footage,
        rows=normalise_rows(sums).astype(np.float32),
        clip_length=footage.clip_length * together,
        source=footage.source[starts],
    )


def among(footage: Footage, others: Sequence[Rows], place: int) -> Footage:
    """Put the video among other videos, as number `place` of them all.

    Args:
        footage: the footage.
        others: rows of other videos, (N, R, D) each.
        place: number of others that stand before it.
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

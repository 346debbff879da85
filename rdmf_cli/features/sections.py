"""Sections of a long video: runs of clips that can be extracted one by one, on several machines.

A section begins where a batch of the encoder begins. So the batches, and the features, are those of
an extraction of the whole video. The reader of a section begins with the last frame before the
section. The hash of this frame must be the hash that the section before has of it: then decoding
from another start gives the same pictures, as after an interruption (see `extraction`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rdmf_cli.features.partial import EXACT, Anchor, PartialFeatures

if TYPE_CHECKING:
    from rdmf_cli.features.extraction import VideoFeatures


class Section(NamedTuple):
    """A run of clips of a video.

    Attributes:
        first: The first clip.
        stop: One past the last clip.
        begin: The clip at which decoding begins: the first with the last frame before the section.
            In the first section, the first clip.
    """

    first: int
    stop: int
    begin: int


@dataclass(frozen=True, eq=False)
class SectionFeatures:
    """The features of a section.

    Attributes:
        section: The section.
        features: Facts about the extraction; without rows unless the section is a whole video.
        made: The rows; clips and frames are counted from the start of the section.
        before: SHA-256 of the prepared frame of the clip `begin`; None in the first section.
    """

    section: Section
    features: VideoFeatures
    made: PartialFeatures
    before: bytes | None


def sections_of(wanted: np.ndarray, batch: int, length: int) -> list[Section]:
    """Divide the clips of a video into sections of at least `length` clips, except the last.

    Args:
        wanted: Time at which the frame of each clip is shown, int64 (L,).
        batch: Number of distinct frames per batch of the encoder.
        length: Minimum number of clips of a section.

    >>> sections_of(np.array([0, 0, 1, 2, 3, 3]), 2, 3)
    [Section(first=0, stop=3, begin=0), Section(first=3, stop=6, begin=2)]
    """
    new = np.flatnonzero(np.diff(wanted, prepend=wanted[0] - 1))  # first clip of each frame
    edges = [0]
    for number in range(batch, len(new), batch):
        if new[number] - edges[-1] >= length:
            edges.append(int(new[number]))
    before = np.searchsorted(new, edges) - 1
    begins = [0, *new[before[1:]].tolist()]
    stops = [*edges[1:], len(wanted)]
    return [Section(*one) for one in zip(edges, stops, begins, strict=True)]


def joined_parts(read: Sequence[SectionFeatures]) -> PartialFeatures | None:
    """Join the rows of sections; None: they do not fit together."""
    made = PartialFeatures(read[0].made.batch)
    for one in read:
        if not _is_exact(one) or not _follows(one, made):
            return None
        made.extend(one.made)
    return made


def _is_exact(one: SectionFeatures) -> bool:
    """Return whether each clip has its own frame, and nothing was undecodable."""
    made, clips = one.made, one.section.stop - one.section.first
    return made.clips == clips and not made.messages and all(f & EXACT for f in made.flags)


def _follows(one: SectionFeatures, made: PartialFeatures) -> bool:
    """Return whether a section begins where `made` ends, with the same frame before it."""
    if one.before is None:
        return not made.clips
    same = made.last_anchor() == Anchor(one.section.begin, one.before)
    whole = len(made.pts) == made.batch * len(made.rows)
    return same and whole and one.section.first == made.clips

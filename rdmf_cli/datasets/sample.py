"""One query on one video, as numbers: what a head reads, in training and evaluation alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.question import NEEDS_NONE, Question
from rdmf_cli.datasets.annotations import Annotation
from rdmf_cli.errors import RdmfError

Array = npt.NDArray[np.float32]

MOST_CLIPS_OFF = 1  # published features may be a clip longer or shorter than the duration says
SHARE_OFF = 0.02


class Text(NamedTuple):
    """A query as an encoder reads it, unit rows.

    sentence: float32 (S,), None where the features have none
    words:    float32 (T, W), T ≤ 32
    """

    sentence: Array | None
    words: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample(Question):
    """A question with its annotation.

    Attributes:
        annotation: the query, its moments and labels.
        streams: the columns of each video stream, by name.
    """

    annotation: Annotation
    streams: Mapping[str, slice] = field(default_factory=dict)

    def _lacks(self, what: str) -> RdmfError:
        return RdmfError(f"qid {self.annotation.qid}: {what}", todo=NEEDS_NONE)

    @property
    def _widths(self) -> str:
        widths = {name: part.stop - part.start for name, part in self.streams.items()}
        named = ", ".join(f"{name} {width}" for name, width in widths.items())
        return named or super()._widths

    @property
    def labels(self) -> npt.NDArray[np.float64] | None:
        """(L, A) the annotation's labels, at the clips of the video; None where it has none."""
        labels = self.annotation.labels
        return None if labels is None else labels[same_time(len(self.video), len(labels))]

    def at_labels(self, values: np.ndarray) -> np.ndarray:
        """Values (L,) of the clips at the T clips that are labelled; all where nothing is."""
        labels = self.annotation.labels
        return values if labels is None else values[same_time(len(labels), len(values))]


def fits(clips: int, expected: float) -> bool:
    """Whether so many rows can be the features of `expected` clips."""
    return abs(clips - expected) <= MOST_CLIPS_OFF + SHARE_OFF * expected


def same_time(clips: int, others: int) -> npt.NDArray[np.int_]:
    """(clips,): for each clip, which of the others shows that time of the same video.

    Counts that differ by no more than published features do are of the same clips; other counts
    cut the video more finely or more coarsely.

    >>> same_time(6, 3).tolist(), same_time(3, 4).tolist()
    ([0, 0, 1, 1, 2, 2], [0, 1, 2])
    """
    places: npt.NDArray[np.int_] = np.arange(clips)
    if not fits(clips, others):
        places = ((places + 0.5) * others / clips).astype(np.int_)
    return np.minimum(places, others - 1)

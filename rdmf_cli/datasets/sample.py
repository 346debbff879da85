"""One annotated query on one video as arrays: the input of a head in training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.question import NEEDS_NONE, Question
from rdmf_cli.datasets.annotations import Annotation
from rdmf_cli.errors import RdmfError

Array = npt.NDArray[np.float32]

# Published features may have more or fewer clips than the duration gives: by this number, plus a
# share.
MOST_CLIPS_OFF = 1
SHARE_OFF = 0.02


class Text(NamedTuple):
    """The features of a query; rows have unit length.

    Attributes:
        sentence: float32 (S,); None: the features have no sentence.
        words: One row per token, float32 (T, W), T ≤ 32.
    """

    sentence: Array | None
    words: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample(Question):
    """A question with its annotation.

    Attributes:
        annotation: The query, its moments and labels.
        streams: The columns of each video stream, by name.
        path: The (first) file of the video's features, for errors; None: unknown.
    """

    annotation: Annotation
    streams: Mapping[str, slice] = field(default_factory=dict)
    path: Path | None = None

    def _lacks(self, what: str) -> RdmfError:
        return RdmfError(f"qid {self.annotation.qid}: {what}", self.path, NEEDS_NONE)

    @property
    def _widths(self) -> str:
        widths = {name: part.stop - part.start for name, part in self.streams.items()}
        named = ", ".join(f"{name} {width}" for name, width in widths.items())
        return named or super()._widths

    @property
    def labels(self) -> npt.NDArray[np.float64] | None:
        """The annotation's labels at the L clips of the video, (L, A); None: no labels."""
        labels = self.annotation.labels
        return None if labels is None else labels[same_time(len(self.video), len(labels))]

    def at_labels(self, values: np.ndarray) -> np.ndarray:
        """Return the values at the T labelled clips; if no clips are labelled, return all values.

        Args:
            values: One value per clip, (L,).

        Returns:
            (T,) or (L,).
        """
        labels = self.annotation.labels
        return values if labels is None else values[same_time(len(labels), len(values))]


def fits(clips: int, expected: float) -> bool:
    """Return whether features of `clips` rows can belong to a video of `expected` clips."""
    return abs(clips - expected) <= MOST_CLIPS_OFF + SHARE_OFF * expected


def same_time(clips: int, others: int) -> npt.NDArray[np.int_]:
    """Map each clip to the clip of another grid that shows the same time of the same video.

    >>> same_time(6, 3).tolist(), same_time(3, 4).tolist()
    ([0, 0, 1, 1, 2, 2], [0, 1, 2])

    If the two numbers differ as little as in published features (see `fits`), both grids have the
    same clips; otherwise one grid is finer.

    Args:
        clips: Number of clips of the first grid.
        others: Number of clips of the other grid.

    Returns:
        For each clip, the index of the clip in the other grid, int (clips,).
    """
    places: npt.NDArray[np.int_] = np.arange(clips)
    if not fits(clips, others):
        places = ((places + 0.5) * others / clips).astype(np.int_)
    return np.minimum(places, others - 1)

"""What finds the clips nearest to a query among those of many videos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

BLOCK = 1 << 16  # rows multiplied at once


class Nearest(NamedTuple):
    """Clips, the nearest first.

    Attributes:
        video: (n,) the number that its features were added under.
        clip: (n,) the position of the clip in its video, from 0.
        cosine: (n,) of clip and query.
    """

    video: npt.NDArray[np.int64]
    clip: npt.NDArray[np.int64]
    cosine: Array


class Index(Protocol):
    """Holds the features of clips and finds the nearest; an engine for large libraries is another.

    tests/library/test_index.py states what every engine must do.
    """

    def add(self, video: int, features: Array) -> None:
        """Add the unit features (L, D) of a video, in place of those it had."""
        ...

    def remove(self, video: int) -> None:
        """Remove the features of a video; nothing happens where there are none."""
        ...

    def nearest(self, query: Array, count: int) -> Nearest:
        """Find the clips of the highest cosine with a unit query (D,); at most `count`."""
        ...

    def __len__(self) -> int:
        """Count the clips."""
        ...


class ExactIndex:
    """Compares the query with every clip, by numpy: exact, and the measure of any other engine."""

    def __init__(self, videos: Iterable[tuple[int, Array]] = ()):
        self._features = dict(videos)

    def add(self, video: int, features: Array) -> None:
        """Add the unit features (L, D) of a video, in place of those it had."""
        self._features[video] = features

    def remove(self, video: int) -> None:
        """Remove the features of a video; nothing happens where there are none."""
        self._features.pop(video, None)

    def nearest(self, query: Array, count: int) -> Nearest:
        """Find the clips of the highest cosine with a unit query (D,); at most `count`.

        Equal cosines come in the order of video and clip.
        """
        features = [self._features[video] for video in sorted(self._features)]
        lengths = [len(rows) for rows in features]
        video = np.repeat(np.array(sorted(self._features), np.int64), lengths)
        clip = np.concatenate([np.zeros(0, np.int64), *map(np.arange, lengths)])
        cosine = np.concatenate([np.zeros(0, np.float32), *(rows @ query for rows in features)])
        best = _best(cosine, count)
        return Nearest(video[best], clip[best].astype(np.int64), cosine[best])

    def __len__(self) -> int:
        """Count the clips."""
        return sum(map(len, self._features.values()))


def _best(cosine: Array, count: int) -> npt.NDArray[np.int64]:
    """Positions of the `count` highest, in order; of equal ones the first."""
    if count < len(cosine):
        least = np.partition(cosine, len(cosine) - count)[len(cosine) - count]
        above, equal = np.flatnonzero(cosine > least), np.flatnonzero(cosine == least)
        chosen = np.sort(np.concatenate([above, equal[: count - len(above)]]))
    else:
        chosen = np.arange(len(cosine))
    return chosen[np.argsort(-cosine[chosen], kind="stable")]

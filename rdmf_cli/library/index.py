"""The index of a library: it finds the clips most similar to a query among many videos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

BLOCK = 1 << 16  # rows multiplied at once


class Nearest(NamedTuple):
    """Clips, the most similar first.

    Attributes:
        video: Number of the video of each clip, (n,).
        clip: Position of each clip in its video, from 0, (n,).
        cosine: Cosine of each clip and the query, (n,).
    """

    video: npt.NDArray[np.int64]
    clip: npt.NDArray[np.int64]
    cosine: Array


class Index(Protocol):
    """The interface of an index of clips; an engine for large libraries can implement it.

    tests/library/test_index.py tests every index in the same way.
    """

    def add(self, video: int, features: Array) -> None:
        """Add the unit features (L, D) of a video, in place of its earlier features."""
        ...

    def remove(self, video: int) -> None:
        """Remove the features of a video, if there are any."""
        ...

    def nearest(self, query: Array, count: int) -> Nearest:
        """Find the clips with the highest cosine to a unit query (D,); at most `count`."""
        ...

    def __len__(self) -> int:
        """Count the clips."""
        ...


class ExactIndex:
    """An exact index in numpy: it compares the query with every clip.

    Tests compare other indexes with this one.
    """

    def __init__(self, videos: Iterable[tuple[int, Array]] = ()):
        self._features = dict(videos)
        self._named: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None

    def add(self, video: int, features: Array) -> None:
        """Add the unit features (L, D) of a video, in place of its earlier features."""
        self._features[video], self._named = features, None

    def remove(self, video: int) -> None:
        """Remove the features of a video, if there are any."""
        self._features.pop(video, None)
        self._named = None

    def nearest(self, query: Array, count: int) -> Nearest:
        """Find the clips with the highest cosine to a unit query (D,); at most `count`.

        Clips of equal cosine are ordered by video, then by clip.
        """
        video, clip = self._names()
        features = (self._features[video] for video in sorted(self._features))
        cosine = np.concatenate([np.zeros(0, np.float32), *(rows @ query for rows in features)])
        best = _best(cosine, count)
        return Nearest(video[best], clip[best], cosine[best])

    def _names(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the video and the position of each clip, in the order of videos and clips."""
        if self._named is None:
            lengths = [len(self._features[video]) for video in sorted(self._features)]
            video = np.repeat(np.array(sorted(self._features), np.int64), lengths)
            clip = np.concatenate([np.zeros(0, np.int64), *map(np.arange, lengths)])
            self._named = video, clip.astype(np.int64)
        return self._named

    def __len__(self) -> int:
        """Count the clips."""
        return sum(map(len, self._features.values()))


def _best(cosine: Array, count: int) -> npt.NDArray[np.int64]:
    """Return the positions of the `count` highest values, in order; equal values by position."""
    if count < len(cosine):
        least = np.partition(cosine, len(cosine) - count)[len(cosine) - count]
        above, equal = np.flatnonzero(cosine > least), np.flatnonzero(cosine == least)
        chosen = np.sort(np.concatenate([above, equal[: count - len(above)]]))
    else:
        chosen = np.arange(len(cosine))
    return chosen[np.argsort(-cosine[chosen], kind="stable")]

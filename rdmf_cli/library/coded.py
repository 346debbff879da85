"""An index for large libraries: short codes choose candidates, and exact features rank them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rdmf_cli.errors import MissingExtra
from rdmf_cli.library.index import Array, Nearest
from rdmf_cli.library.rows import Rows

Codes = npt.NDArray[np.uint8]

CANDIDATES: Final = 4000
"""At least this many clips are ranked exactly. With this number, the search in 1.8 million clips
finds 99.9 % of the ten nearest clips, if their cosines are distributed like those of captions
(benchmarks/thousand_hours.py). CLIP: see `lie_close_together`."""

PER_WANTED: Final = 2
"""Candidates per requested clip, if many clips are requested."""

BLOCK: Final = 1 << 14  # clips whose codes are made at once
SEED: Final = 0

SAMPLED: Final = 500
CLOSE: Final = 0.6
"""Codes are not used if the mean of sampled features is longer than this."""


def has_engine() -> bool:
    """Return whether faiss is installed: faiss compares the codes."""
    try:
        import faiss  # noqa: F401
    except ImportError:
        return False
    return True


def lie_close_together(videos: Sequence[Rows]) -> bool:
    """Return whether features share a direction, so that many bits of their codes are the same.

    The mean of unit features has a length from 0 (all directions) to 1 (one direction). It was
    0.73 and 0.83 for pictures by CLIP, and 0.24 for photographs by the embedded encoder.

    Args:
        videos: The unit features (L, D) of each video; the middle clips of at most `SAMPLED`
            videos are read.
    """
    videos = [video for video in videos if len(video)]
    if not videos:
        return False
    chosen = videos[:: -(-len(videos) // SAMPLED)]
    rows = [video[np.array([len(video) // 2], np.int64)][0] for video in chosen]
    return bool(np.linalg.norm(np.mean(rows, axis=0)) > CLOSE)


def sign_codes(features: Array) -> Codes:
    """Make the codes of features: a random rotation, then one bit per number: 1 if it is positive.

    The share of bits that differ between two codes estimates the angle of the features over pi
    (Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002).

    Args:
        features: Unit features (N, D).

    Returns:
        uint8 (N, ceil(D / 8)).
    """
    width = features.shape[1]
    turn = _rotation(width)
    blocks = [
        np.packbits(np.asarray(features[start : start + BLOCK], np.float32) @ turn > 0, axis=1)
        for start in range(0, len(features), BLOCK)
    ]
    return np.concatenate([np.zeros((0, -(-width // 8)), np.uint8), *blocks])


_rotations: dict[int, Array] = {}


def _rotation(width: int) -> Array:
    if width not in _rotations:
        drawn = np.random.default_rng(SEED).standard_normal((width, width))
        _rotations[width] = np.linalg.qr(drawn)[0].astype(np.float32)
    return _rotations[width]


class CodedIndex:
    """An index that compares codes (1 bit per coordinate), then ranks the nearest clips exactly.

    The codes of a clip have 1/32 of the size of its features and stay in memory. The features may
    be in a file: only the features of candidates are read.

    Args:
        videos: The number, the unit features (L, D) and the codes of each video. If the codes are
            None, they are computed.
    """

    def __init__(self, videos: Iterable[tuple[int, Rows, Codes | None]] = ()):
        try:
            import faiss
        except ImportError as error:
            raise MissingExtra("an index of codes", "library") from error
        self._faiss: Any = faiss
        self._features: dict[int, Rows] = {}
        self._codes: dict[int, Codes] = {}
        for video, features, codes in videos:
            self._features[video] = features
            every = np.arange(len(features))
            self._codes[video] = sign_codes(features[every]) if codes is None else codes
        self._made: tuple[Any, npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None

    def add(self, video: int, features: Array) -> None:
        """Add the unit features (L, D) of a video, in place of its earlier features."""
        self._features[video], self._codes[video] = features, sign_codes(features)
        self._made = None

    def remove(self, video: int) -> None:
        """Remove the features of a video, if there are any."""
        self._features.pop(video, None)
        self._codes.pop(video, None)
        self._made = None

    def nearest(self, query: Array, count: int) -> Nearest:
        """Find the clips with the highest cosine to a unit query (D,); at most `count`.

        The result is exact if the index has at most `CANDIDATES` clips.
        """
        codes, starts, numbers = self._compared()
        most = min(max(CANDIDATES, PER_WANTED * count), int(starts[-1]))
        if not most:
            return Nearest(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
        _, found = codes.search(sign_codes(np.asarray(query, np.float32)[None]), most)
        place = np.sort(found[0][found[0] >= 0].astype(np.int64))
        own = np.searchsorted(starts, place, side="right") - 1
        clip = place - starts[own]
        cosine = self._cosines(query, numbers[own], clip)
        order = np.argsort(-cosine, kind="stable")[:count]
        return Nearest(numbers[own][order], clip[order], cosine[order])

    def __len__(self) -> int:
        """Count the clips."""
        return sum(map(len, self._features.values()))

    def _cosines(
        self, query: Array, videos: npt.NDArray[np.int64], clips: npt.NDArray[np.int64]
    ) -> Array:
        """Compute the exact cosines of the query and some clips; the clips are ordered by video."""
        edges = np.flatnonzero(np.diff(videos, prepend=-1, append=-1)).tolist()
        parts = [
            self._features[int(videos[start])][clips[start:stop]] @ query
            for start, stop in itertools.pairwise(edges)
        ]
        cosines: Array = np.concatenate(parts).astype(np.float32, copy=False)
        return cosines

    def _compared(self) -> tuple[Any, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the faiss index of all codes, the first row of each video, the video numbers."""
        if self._made is None:
            numbers = sorted(self._features)
            codes = [self._codes[number] for number in numbers]
            index = self._faiss.IndexBinaryFlat(8 * (codes[0].shape[1] if codes else 1))
            for own in codes:
                if len(own):
                    index.add(np.ascontiguousarray(own))
            starts = np.cumsum([0, *map(len, codes)], dtype=np.int64)
            self._made = index, starts, np.array(numbers, np.int64)
        return self._made

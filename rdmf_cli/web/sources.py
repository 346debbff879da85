"""The videos that a server searches: files, or a library.

The server reads only videos that it lists.
"""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from rdmf_cli.api.records import Hit
from rdmf_cli.api.searcher import Searcher
from rdmf_cli.api.searching import Limits, search_library, search_videos
from rdmf_cli.channels.query import Term
from rdmf_cli.errors import RdmfError
from rdmf_cli.features import VideoFeatures
from rdmf_cli.library.library import Library
from rdmf_cli.library.work import ShowWork, WorkCallbacks

SCANS_KEPT = 64


class Source(ABC):
    """Videos that a server searches, one search at a time.

    Args:
        searcher: Encoder and head, loaded once.
    """

    def __init__(self, searcher: Searcher):
        self.searcher = searcher
        self._lock = threading.Lock()

    @abstractmethod
    def videos(self) -> Sequence[str]:
        """List the paths of all videos."""

    @abstractmethod
    def _search(self, terms: Sequence[Term], limits: Limits) -> list[Hit]: ...

    @abstractmethod
    def _features(self, video: str) -> VideoFeatures: ...

    def search(self, terms: Sequence[Term], top_k: int) -> list[Hit]:
        """Find moments, best first.

        Raises:
            RdmfError: The query is empty, or the library is damaged.
        """
        with self._lock:
            return self._search(terms, Limits(top_k=top_k, per_video=3))

    def curve(self, video: str, terms: Sequence[Term]) -> tuple[VideoFeatures, tuple[float, ...]]:
        """Return the features of a video, and the saliency of each clip for a query."""
        with self._lock:
            features = self._features(video)
            return features, self.searcher.saliency(features, terms)

    def path_of(self, key: str) -> Path | None:
        """Return the video of a key; None: no listed video has this key."""
        return next((Path(video) for video in self.videos() if key_of(video) == key), None)


class Files(Source):
    """Videos by their paths; features come from the cache."""

    def __init__(self, searcher: Searcher, videos: Sequence[Path]):
        super().__init__(searcher)
        self._videos = list(videos)
        self.failed: list[RdmfError] = []

    def videos(self) -> Sequence[str]:
        """List the paths of all videos."""
        return [str(video) for video in self._videos]

    def prepare(self, show: ShowWork | None = None) -> None:
        """Extract the features of all videos that are not in the cache."""
        terms, limits = [Term("a video")], Limits(top_k=1)
        callbacks = WorkCallbacks(self.failed.append, show=show)
        search_videos(self.searcher, self._videos, terms, limits, callbacks)

    def _search(self, terms: Sequence[Term], limits: Limits) -> list[Hit]:
        failed: list[RdmfError] = []
        callbacks = WorkCallbacks(failed.append)
        return search_videos(self.searcher, self._videos, terms, limits, callbacks)

    def _features(self, video: str) -> VideoFeatures:
        return self.searcher.extract(video)


class Kept(Source):
    """The videos of a library; nothing is extracted."""

    def __init__(self, searcher: Searcher, folder: Path):
        super().__init__(searcher)
        self._folder = folder

    def videos(self) -> Sequence[str]:
        """List the paths of all videos."""
        with Library.open(self._folder) as library:
            return [video.path for video in library.videos()]

    def _search(self, terms: Sequence[Term], limits: Limits) -> list[Hit]:
        with Library.open(self._folder) as library:
            hits = search_library(self.searcher, library, terms, limits)
        return [hit for hit in hits if not hit.missing]

    def _features(self, video: str) -> VideoFeatures:
        with Library.open(self._folder) as library:
            videos = library.collection()
            number = next(n for n in range(len(videos.clips)) if videos.path(n) == video)
            return videos.features(number)


@lru_cache(maxsize=1 << 16)
def key_of(video: str) -> str:
    """Return the key that stands for a video in addresses: an address never contains a path."""
    return hashlib.sha256(video.encode("utf-8", "surrogateescape")).hexdigest()[:20]

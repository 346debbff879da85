"""The features of many videos, one after another or several at once, and how far that is."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rdmf_cli.errors import RdmfError, errors_of
from rdmf_cli.features import VideoFeatures


class Extract(Protocol):
    """Gives the features of a video; `progress` is told clips done, and clips in all."""

    def __call__(
        self, video: Path, *, progress: Callable[[int, int], None] | None = None
    ) -> VideoFeatures:
        """Return the features of one video. Raises RdmfError where there are none."""
        ...


@dataclass(frozen=True)
class Work:
    """How far many videos are.

    Attributes:
        done, videos: Videos done, and in all.
        name: A video that is read now.
        encoded: Clips encoded so far, of all videos.
        share: The share of the work that is done, in [0, 1]; all videos count alike.
    """

    done: int
    videos: int
    name: str
    encoded: int
    share: float


ShowWork = Callable[[Work], None]
OnError = Callable[[RdmfError], None]
Outcome = tuple[Path, "VideoFeatures | RdmfError"]


def extract_all(
    videos: Iterable[Path], extract: Extract, *, jobs: int = 1, show: ShowWork | None = None
) -> Iterator[Outcome]:
    """Extract videos, and yield each with its features, or with what went wrong, in their order.

    Args:
        videos: Their paths.
        extract: Gives the features of one; called from several threads where `jobs` is above 1.
        jobs: Videos that are extracted at once.
        show: Is told how far the work is.
    """
    listed = list(videos)
    tally = _Tally(len(listed), show or (lambda work: None))

    def one(video: Path) -> Outcome:
        try:
            with errors_of(video):
                return video, extract(video, progress=tally.of(video))
        except RdmfError as error:
            return video, error
        finally:
            tally.finish(video)

    yield from map(one, listed) if jobs <= 1 else _several(one, listed, jobs, tally)


def _several(
    one: Callable[[Path], Outcome], videos: list[Path], jobs: int, tally: _Tally
) -> Iterator[Outcome]:
    """Run in threads; at most so many outcomes wait to be taken as there are jobs."""
    waiting: deque[Future[Outcome]] = deque()
    with ThreadPoolExecutor(jobs) as threads:
        try:
            for video in videos:
                waiting.append(threads.submit(one, video))
                if len(waiting) > 2 * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # interrupted: the threads end where they tell their progress next
            tally.stop()
            for future in waiting:
                future.cancel()


class _Stopped(BaseException):
    """Ends a thread whose result nobody waits for any more."""


class _Tally:
    """Counts what is done, from several threads."""

    def __init__(self, videos: int, show: ShowWork):
        self._videos, self._show = videos, show
        self._lock = threading.Lock()
        self._done = self._encoded = 0
        self._shares: dict[Path, float] = {}
        self._stopped = False

    def of(self, video: Path) -> Callable[[int, int], None]:
        """Return what is told the progress of one video."""
        before = 0
        self._tell(video, 0.0, 0)

        def progress(clips: int, of: int) -> None:
            nonlocal before
            self._tell(video, clips / of if of else 0.0, clips - before)
            before = clips

        return progress

    def finish(self, video: Path) -> None:
        """Count a video as done."""
        with self._lock:
            self._done += 1
            self._shares.pop(video, None)
        self._tell(video, 0.0, 0)

    def stop(self) -> None:
        """End the threads."""
        self._stopped = True

    def _tell(self, video: Path, share: float, encoded: int) -> None:
        if self._stopped:
            raise _Stopped
        with self._lock:
            self._shares[video] = share
            self._encoded += encoded
            done = min((self._done + sum(self._shares.values())) / self._videos, 1.0)
            work = Work(self._done, self._videos, video.name, self._encoded, done)
            self._show(work)

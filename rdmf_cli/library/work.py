"""Extraction of the features of many videos, several at the same time, with progress."""

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
    """A function that returns the features of a video.

    `progress` is called with the number of clips done and of all clips.
    """

    def __call__(
        self, video: Path, *, progress: Callable[[int, int], None] | None = None
    ) -> VideoFeatures:
        """Return the features of one video.

        Raises:
            RdmfError: The features cannot be extracted.
        """
        ...


@dataclass(frozen=True)
class Work:
    """The progress of the work on many videos.

    Attributes:
        done: Number of videos done.
        videos: Number of all videos.
        name: Name of a video in progress.
        encoded: Number of clips encoded so far, in all videos.
        share: The share of the work that is done, in [0, 1]; each video counts the same.
    """

    done: int
    videos: int
    name: str
    encoded: int
    share: float


ShowWork = Callable[[Work], None]
OnError = Callable[[RdmfError], None]
OnWarning = Callable[[Path, tuple[str, ...]], None]
Outcome = tuple[Path, "VideoFeatures | RdmfError"]


@dataclass(frozen=True)
class WorkCallbacks:
    """Functions that are called while many videos are read.

    Attributes:
        on_error: A function that is called with the error of a video; the other videos are still
            read.
        on_warning: A function that is called with the path and the warnings of a video.
        show: A function that is called with the progress of the work.
    """

    on_error: OnError
    on_warning: OnWarning | None = None
    show: ShowWork | None = None

    def warn(self, path: Path, warnings: tuple[str, ...]) -> None:
        """Report the warnings of a video, if there are any."""
        if warnings and self.on_warning:
            self.on_warning(path, warnings)


def extract_all(
    videos: Iterable[Path], extract: Extract, *, jobs: int = 1, show: ShowWork | None = None
) -> Iterator[Outcome]:
    """Extract videos; yield each with its features or its error, in the given order.

    Args:
        videos: The paths.
        extract: Function that returns the features of a video; called from several threads if
            `jobs` is above 1.
        jobs: Number of videos to extract at the same time.
        show: A function that is called with the progress of the work.
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
    """Run in threads; keep at most two outcomes per job waiting."""
    waiting: deque[Future[Outcome]] = deque()
    with ThreadPoolExecutor(jobs) as threads:
        try:
            for video in videos:
                waiting.append(threads.submit(one, video))
                if len(waiting) > 2 * jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # interrupted: the threads end at their next report of progress
            tally.stop()
            for future in waiting:
                future.cancel()


class _Stopped(BaseException):
    """Raised in a thread to end it, because its result is not needed any more."""


class _Tally:
    """A counter of the progress, for several threads."""

    def __init__(self, videos: int, show: ShowWork):
        self._videos, self._show = videos, show
        self._lock = threading.Lock()
        self._done = self._encoded = 0
        self._shares: dict[Path, float] = {}
        self._stopped = False

    def of(self, video: Path) -> Callable[[int, int], None]:
        """Return the function to call with the progress of one video."""
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

"""Watch folders: find the videos that are new or have changed, and that may be read now."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rdmf_cli.errors import MissingExtra, RdmfError, UsageError
from rdmf_cli.library.catalogue import Root
from rdmf_cli.library.listing import is_excluded, list_videos
from rdmf_cli.video.folder import VIDEO_SUFFIXES

QUIET_SECONDS: Final = 2.0
"""A file that has not changed for this time counts as complete."""

LONGEST_QUIET_SECONDS: Final = 60.0
"""If a file was not complete after all, its quiet time is doubled, up to this limit."""

GROWTH: Final = 1.25
"""A file that is still written (a recording) is read again when its size has grown by this factor.
All readings together then cost no more than a few readings of the whole file."""

GROWING_SECONDS: Final = 10.0
"""The shortest time between two readings of a file that is still written."""

LOOK_SECONDS: Final = 0.5
"""The time between two looks at the files that have changed."""


@dataclass(frozen=True)
class Ready:
    """A file that may be read now, because it is complete or has grown enough.

    Attributes:
        path: The file.
        growing: Whether the file is still written. It is no error if such a file cannot be read.
    """

    path: Path
    growing: bool


@dataclass
class _File:
    looks: tuple[int, int] | None  # size in bytes and modification time
    changed: float  # when the last change of the file was seen
    read: float  # when the file was last read
    read_bytes: int = 0


@dataclass
class Pending:
    """The files that have changed since they were last read.

    Attributes:
        quiet: A file counts as complete after this many seconds without a change.
        growing: Minimum time in seconds between two readings of a file that is still being written.
        clock: The present time in seconds.
    """

    quiet: float = QUIET_SECONDS
    growing: float = GROWING_SECONDS
    clock: Callable[[], float] = time.monotonic
    _files: dict[Path, _File] = field(default_factory=dict)
    _quiet: dict[Path, float] = field(default_factory=dict)

    def add(self, path: Path) -> None:
        """Add a file that is new or has changed."""
        now = self.clock()
        self._files.setdefault(path, _File(None, now, now))

    def ready(self) -> list[Ready]:
        """Return the files that may be read now; a complete file is returned for the last time."""
        found = []
        for path, file in list(self._files.items()):
            looks, now = _looks(path), self.clock()
            if looks is None:
                del self._files[path]
            elif looks != file.looks:
                file.looks, file.changed = looks, now
                if file.read_bytes * GROWTH <= looks[0] and now - file.read >= self.growing:
                    file.read, file.read_bytes = now, looks[0]
                    found.append(Ready(path, growing=True))
            elif now - file.changed >= (quiet := self._quiet.get(path, self.quiet)):
                del self._files[path]
                self._quiet[path] = min(2 * quiet, max(LONGEST_QUIET_SECONDS, self.quiet))
                found.append(Ready(path, growing=False))
        return found

    def __len__(self) -> int:
        """Count the files."""
        return len(self._files)


def is_still_written(path: Path) -> bool:
    """Return whether a file has changed in the last seconds, by its modification time."""
    looks = _looks(path)
    return looks is not None and abs(time.time() - 1e-9 * looks[1]) < GROWING_SECONDS


def _looks(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


@dataclass(frozen=True)
class Changes:
    """What changed between one check of the files and the next.

    Attributes:
        videos: New and changed videos.
        lost: Whether a file or folder was removed or renamed.
    """

    videos: tuple[Path, ...] = ()
    lost: bool = False


def changes(roots: Sequence[Root], look: float = LOOK_SECONDS) -> Iterator[Changes]:
    """Watch files and folders; yield the changes every `look` seconds, forever.

    Args:
        roots: Files, and folders with everything below them.
        look: Seconds from one check of the files to the next.

    Raises:
        MissingExtra: watchfiles is not installed.
        UsageError: None of the roots exists.
        RdmfError: There are more folders than the operating system can watch.
    """
    try:
        import watchfiles
    except ImportError as error:
        raise MissingExtra("watching folders", "library") from error
    places = _places(roots)
    pause = int(1000 * look)
    try:
        for events in watchfiles.watch(
            *places,
            watch_filter=None,
            debounce=pause,
            step=min(pause, 50),
            rust_timeout=pause,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        ):
            yield Changes(
                tuple(dict.fromkeys(_videos((Path(path) for _, path in events), roots))),
                any(kind is watchfiles.Change.deleted for kind, _ in events),
            )
    except OSError as error:
        todo = "set WATCHFILES_FORCE_POLLING=1, or watch fewer folders"
        raise RdmfError(f"the folders cannot be watched ({error})", todo=todo) from error


def _places(roots: Sequence[Root]) -> list[str]:
    """Return the folders to watch: each folder, and the folder that contains each single file.

    A file is not watched itself, because programs replace a file by a new file of the same name.
    """
    there = [root.path for root in roots if os.path.lexists(root.path)]
    if not there:
        raise UsageError("there is nothing to watch", todo="name a folder that exists")
    return [path if os.path.isdir(path) else os.path.dirname(path) for path in there]


def _videos(changed: Iterable[Path], roots: Sequence[Root]) -> Iterator[Path]:
    for path in changed:
        for root in roots:
            yield from _videos_at(path, Path(root.path), root.exclude)


def _videos_at(path: Path, root: Path, exclude: Sequence[str]) -> Iterator[Path]:
    """Yield the videos at a changed path: the path itself, or the videos of a folder moved here."""
    if root != path and (root not in path.parents or _is_left_out(path, root, exclude)):
        return
    if path.is_dir():
        found = (video for video in list_videos([path]) if isinstance(video, Path))
        yield from (video for video in found if not is_excluded(video, root, exclude))
    elif path.is_file() and (path == root or path.suffix.lower() in VIDEO_SUFFIXES):
        yield path


def _is_left_out(path: Path, root: Path, exclude: Sequence[str]) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return hidden or is_excluded(path, root, exclude)

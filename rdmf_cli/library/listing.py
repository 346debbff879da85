"""Lists of the videos in files and folders, with all inner folders, without excluded paths."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path

from rdmf_cli.errors import RdmfError
from rdmf_cli.video.folder import list_folder, no_videos


def list_videos(
    paths: Iterable[str | PathLike[str]], exclude: Sequence[str] = ()
) -> Iterator[Path | RdmfError]:
    """List the videos of files and folders, without duplicates.

    The files and folders keep the given order; the content of a folder is sorted.

    Args:
        paths: Files and folders. A folder stands for all videos below it.
        exclude: Patterns as in a shell (`*`, `?`, `[...]`). A pattern without a slash excludes
            files and folders of this name; a pattern with a slash is compared with the path below
            the folder. A file in `paths` is never excluded.

    Yields:
        A path, or an error if a folder cannot be listed or contains no video.
    """
    seen: set[str] = set()
    for path in map(Path, paths):
        for found in _below(path, exclude) if _is_folder(path) else [path]:
            if isinstance(found, RdmfError):
                yield found
            elif (place := _place(found)) not in seen:
                seen.add(place)
                yield found


def is_excluded(path: Path, folder: Path, exclude: Sequence[str]) -> bool:
    """Return whether a path below a folder is excluded by one of the patterns."""
    inside = path.relative_to(folder)
    return any(
        fnmatchcase(inside.as_posix(), pattern.rstrip("/"))
        if "/" in pattern.rstrip("/")
        else any(fnmatchcase(part, pattern.rstrip("/")) for part in inside.parts)
        for pattern in exclude
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # opening the file will report what is wrong with its name
        return False


def _place(path: Path) -> str:
    """Return the real path of a file, so that a link to it does not count as another video."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return str(path)


def _below(folder: Path, exclude: Sequence[str]) -> Iterator[Path | RdmfError]:
    try:
        listing = list_folder(folder, recursive=True)
    except RdmfError as error:
        yield error
        return
    for unread in listing.unreadable:
        if unread.subject is None or not is_excluded(Path(unread.subject), folder, exclude):
            yield unread
    yield from (path for path in listing.videos if not is_excluded(path, folder, exclude))
    if not listing.videos and not listing.unreadable:
        yield no_videos(listing)

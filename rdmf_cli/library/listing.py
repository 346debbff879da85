"""Which videos are meant: files, folders with all that is below them, less what is excluded."""

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
    """List the videos of files and folders, each once, in the order given; folders sorted.

    Args:
        paths: Files, as they are; folders, of which every video below them is listed.
        exclude: Patterns as in a shell (`*`, `?`, `[...]`). One without a slash leaves out whatever
            has that name, files and folders; one with a slash is matched with the whole path below
            the folder. A file that is named itself is never left out.

    Yields:
        A path, or the error of a folder that cannot be listed or holds no video.
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
    """Tell whether a path below a folder is left out by one of the patterns."""
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
    except (OSError, ValueError):  # what is wrong with the name is said when it is opened
        return False


def _place(path: Path) -> str:
    """Where a file really lies, so that links to it are not second videos."""
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

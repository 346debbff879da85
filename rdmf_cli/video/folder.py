"""Video files by their names; nothing is opened, nothing heavy imported."""

from __future__ import annotations

import os
from pathlib import Path

from rdmf_cli.errors import RdmfError

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for family in (
        ("mp4", "m4v", "mov", "3gp", "3g2"),
        ("mkv", "webm", "ogv"),
        ("ts", "mts", "m2ts", "mpg", "mpeg", "vob"),
        ("avi", "wmv", "flv", "mxf", "gif"),
    )
    for name in family
)


def find_videos(path: str | os.PathLike[str]) -> list[Path]:
    """The video files of a directory, by suffix, sorted by name; not of its subdirectories.

    Raises RdmfError where the directory cannot be listed or holds none.
    """
    path = Path(path)
    try:
        found = sorted(
            p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES and p.is_file()
        )
    except OSError as error:
        raise RdmfError("this directory cannot be listed", path, f"{error.strerror}") from error
    if not found:
        raise RdmfError("no videos in this directory", path, "name video files, or their folder")
    return found

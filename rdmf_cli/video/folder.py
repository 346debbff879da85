"""Search for video files in a folder, by their suffixes; no file is opened."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rdmf_cli.errors import MissingFileError, RdmfError

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for family in (
        ("mp4", "m4v", "mp4v", "mpeg4", "mov", "qt", "3gp", "3g2", "3gpp", "3gp2", "f4v", "ismv"),
        ("mkv", "mk3d", "webm", "ogv", "ogm", "ogx", "nut"),
        ("ts", "mts", "m2ts", "m2t", "tp", "trp", "tod"),
        ("mpg", "mpeg", "mpe", "mpv", "m1v", "m2v", "mpg2", "m2p", "vob", "evo", "vro", "mod"),
        ("avi", "divx", "xvid", "amv", "wmv", "asf", "wtv", "dvr-ms", "flv", "swf"),
        ("rm", "rmvb", "dv", "dif", "mxf", "gxf", "gif", "apng", "y4m", "ivf", "obu"),
        ("h264", "264", "avc", "h265", "265", "hevc", "vc1", "mjpeg", "mjpg", "mj2"),
        ("insv", "lrv", "lrf", "360", "dav"),  # suffixes of cameras for MP4 and MPEG-PS
    )
    for name in family
)

SUBTITLE_SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")
"""Suffixes of the subtitle files that belong to a video of the same name, best first."""


class NoVideosError(RdmfError):
    """The error of a folder without videos."""


@dataclass(frozen=True)
class FolderListing:
    """The content of a folder, without hidden files and folders (".name").

    Attributes:
        path: The folder.
        videos: Files with a video's suffix, sorted by path.
        others: Other files, without the subtitles of the videos.
        folders: Inner folders that were not searched.
        unreadable: One error per inner folder that cannot be listed.
    """

    path: Path
    videos: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    unreadable: list[RdmfError] = field(default_factory=list)

    @property
    def passed_over(self) -> str:
        """What was left out, in words: "2 files without a video suffix (2 .txt)", for example."""
        parts = []
        if self.others:
            many = _counted(len(self.others), "file")
            parts.append(f"{many} without a video suffix ({_suffixes(self.others)})")
        if self.folders:
            many = _counted(len(self.folders), "folder")
            parts.append(f"{many} inside (--recursive searches there)")
        return " and ".join(parts)


def find_videos(path: str | os.PathLike[str], recursive: bool = False) -> list[Path]:
    """Find the video files of a folder by their suffixes; hidden files are left out.

    Args:
        path: The folder.
        recursive: Also search the folders inside the folder.

    Returns:
        The files, sorted by path.

    Raises:
        RdmfError: A folder cannot be listed, or there is no video.
    """
    listing = list_folder(path, recursive)
    for error in listing.unreadable:
        raise error
    if not listing.videos:
        raise no_videos(listing)
    return listing.videos


def no_videos(listing: FolderListing) -> NoVideosError:
    """Return the error for a folder without videos; the error states what the folder contains."""
    left = f" (left out: {listing.passed_over})" if listing.passed_over else ""
    return NoVideosError(
        f"no videos in this folder{left}", listing.path, "name video files, or their folder"
    )


def list_folder(path: str | os.PathLike[str], recursive: bool = False) -> FolderListing:
    """List the videos and other files of a folder.

    Args:
        path: The folder.
        recursive: Also search the folders inside the folder.

    Raises:
        RdmfError: The folder cannot be listed.
    """
    listing = FolderListing(Path(path))
    _add(listing, Path(path), recursive, set())
    listing.videos.sort()
    stems = {video.with_suffix("") for video in listing.videos}
    listing.others[:] = [path for path in listing.others if not _is_subtitle(path, stems)]
    return listing


def _is_subtitle(path: Path, stems: set[Path]) -> bool:
    """Tell whether a file holds subtitles of a video: "film.srt" or "film.en.srt" of "film"."""
    if path.suffix.lower() not in SUBTITLE_SUFFIXES:
        return False
    name = path.with_suffix("")
    return name in stems or name.with_suffix("") in stems


def _add(listing: FolderListing, folder: Path, recursive: bool, seen: set[tuple[int, int]]) -> None:
    """Add the content of one folder; `seen` holds all folders done: links may form a circle."""
    entries = _visible(folder)
    stat = folder.stat()
    if (known := (stat.st_dev, stat.st_ino)) in seen:
        return
    seen.add(known)
    for path in entries:
        if path.is_dir():
            if recursive:
                _add_inner(listing, path, seen)
            else:
                listing.folders.append(path)
        elif path.is_file():
            named = path.suffix.lower() in VIDEO_SUFFIXES
            (listing.videos if named else listing.others).append(path)


def _add_inner(listing: FolderListing, folder: Path, seen: set[tuple[int, int]]) -> None:
    try:
        _add(listing, folder, True, seen)
    except RdmfError as error:
        listing.unreadable.append(error)


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except FileNotFoundError:
        raise MissingFileError("no such folder", folder, "check the name") from None
    except OSError as error:
        what = f"this folder cannot be listed ({error.strerror})"
        raise RdmfError(what, folder, "check your permission to read it") from error


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


SUFFIXES_NAMED = 5


def _suffixes(paths: list[Path]) -> str:
    """Count files by suffix: "2 .txt, 1 .srt, 1 without a suffix"."""
    counts = Counter(path.suffix.lower() or "without a suffix" for path in paths).most_common()
    named = [f"{number} {suffix}" for suffix, number in counts[:SUFFIXES_NAMED]]
    if rest := sum(number for _, number in counts[SUFFIXES_NAMED:]):
        named.append(f"{rest} others")
    return ", ".join(named)

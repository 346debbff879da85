"""Decide which arguments of a command line are videos and which are queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rdmf_cli.cli.queries import read_queries
from rdmf_cli.cli.video_names import STDIN, is_address, is_video
from rdmf_cli.errors import RdmfError, UsageError

USUAL = 'type: rdmf query VIDEO "a sentence"'


def split_arguments(
    words: Sequence[str],
    queries: Sequence[str],
    queries_file: str | None,
    example: bool = False,
    pictured: bool = False,
) -> tuple[list[str], list[str]]:
    """Separate videos and queries.

    With --query or --queries, all arguments are videos. Otherwise an argument is a video in three
    cases: a file or folder of this name exists, the argument looks like a video, or it looks like
    an address. So a mistyped name of a video is an error, not a query. All remaining arguments are
    queries.

    Args:
        words: The arguments of the command, in order.
        queries: The values of --query.
        queries_file: The value of --queries.
        example: Put the example video of rdmf before all videos.
        pictured: No sentence is needed, because the query has a picture.
    """
    asked = [*queries, *([] if queries_file is None else read_queries(queries_file))]
    if queries or queries_file is not None:
        videos, sentences = list(words), asked
    else:
        videos = [w for w in words if w == STDIN or is_video(w)]
        sentences = [w for w in words if w not in videos]
    if example:
        from rdmf_cli.resources import example_video

        videos = [str(example_video()), *videos]
    if not videos:
        first = f"{words[0]!r} names no file or folder; " if len(words) > 1 else ""
        raise UsageError("no video is given", todo=f"{first}{USUAL}")
    if not sentences and not pictured:
        raise UsageError("no query is given", todo=_how_to_ask(videos))
    if not asked:
        _point_out_folders(videos[1:])
    return videos, sentences


def _how_to_ask(videos: Sequence[str]) -> str:
    """Return advice on what to type, with the argument that may have been meant as a query."""
    if meant := [word for word in videos if _might_be_a_query(word)]:
        return f"{meant[-1]!r} names a file or folder here; to ask it: --query {meant[-1]!r}"
    return USUAL


def _point_out_folders(videos: Sequence[str]) -> None:
    """Print a note for each file or folder whose name may have been meant as a query."""
    from rdmf_cli.cli.report import say

    for word in filter(_might_be_a_query, videos):
        say(
            "note",
            f"{word!r} is read as the name of a file or folder; to search for it: --query {word!r}",
        )


def _might_be_a_query(word: str) -> bool:
    """Return whether the name of a file is plain words, without a folder or a video's suffix."""
    from rdmf_cli.video import VIDEO_SUFFIXES

    plain = not is_address(word) and Path(word).name == word and word not in (".", "..")
    return plain and Path(word).suffix.lower() not in VIDEO_SUFFIXES


def expand_videos(names: Iterable[str], recursive: bool = False) -> Iterator[Path | RdmfError]:
    """List files unchanged; for a folder, list its videos, or an error if it has no videos.

    The number of skipped files in a folder is printed on stderr.

    Args:
        names: Files and folders, as the user typed them.
        recursive: Include videos in the folders inside a folder.
    """
    for name in names:
        path = Path(name)
        if is_address(name) and not _is_there(path):
            yield _elsewhere(name)
        elif _is_folder(path):
            yield from _videos_of(path, recursive)
        else:
            yield path


def _elsewhere(address: str) -> RdmfError:
    if address.lower().startswith("file://"):
        return RdmfError("is an address, not a path", address, "leave out file://")
    return RdmfError("is an address, not a file", address, "download it first")


def _videos_of(folder: Path, recursive: bool) -> Iterator[Path | RdmfError]:
    from rdmf_cli.cli.report import say
    from rdmf_cli.video.folder import list_folder, no_videos

    try:
        listing = list_folder(folder, recursive)
    except RdmfError as error:
        yield error
        return
    if listing.videos and listing.passed_over:
        say("note", f"{folder}: skipped {listing.passed_over}")
    yield from listing.unreadable
    yield from listing.videos
    if not listing.videos and not listing.unreadable:
        yield no_videos(listing)


def one_video(name: str) -> Path:
    """Return the video that a name stands for: a file, or a folder with one video.

    Raises:
        UsageError: The folder holds several videos.
        RdmfError: The folder holds no video.
    """
    found = list(expand_videos([name]))
    if len(found) > 1:
        raise UsageError(f"there are {len(found)} videos in this folder", name, "name one of them")
    if isinstance(found[0], RdmfError):
        raise found[0]
    return found[0]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # opening the video reports what is wrong with its name
        return False

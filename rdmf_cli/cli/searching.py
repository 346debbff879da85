"""The functions of rdmf search: they check its options and search videos or a library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdmf_cli.api.records import Hit
    from rdmf_cli.api.searching import Chosen, Limits
    from rdmf_cli.channels.query import Term
    from rdmf_cli.errors import RdmfError


def in_videos(
    videos: Sequence[Path | RdmfError],
    terms: Sequence[Term],
    limits: Limits,
    options: dict[str, Any],
    failed: list[RdmfError],
) -> list[Hit]:
    """Search videos; add the error of each failed video to `failed`."""
    from rdmf_cli.api.searching import search_videos
    from rdmf_cli.cli.batch import open_searcher
    from rdmf_cli.cli.report import say_warnings
    from rdmf_cli.cli.work_bar import work_progress
    from rdmf_cli.library.work import WorkCallbacks

    searcher = open_searcher(**options)
    with work_progress() as show:
        callbacks = WorkCallbacks(failed.append, say_warnings, show)
        return search_videos(searcher, videos, terms, limits, callbacks)


def in_library(
    name: str,
    terms: Sequence[Term],
    limits: Limits,
    options: tuple[Chosen, dict[str, Any]],
    failed: list[RdmfError],
) -> tuple[list[Hit], int]:
    """Search a library with the encoder of the library; add the errors of videos to `failed`.

    Returns:
        The hits, and the number of videos in the library.
    """
    chosen, loaded = options
    from rdmf_cli.api.searching import search_library
    from rdmf_cli.cli.batch import open_searcher
    from rdmf_cli.cli.report import say
    from rdmf_cli.library.library import Library, library_folder

    with Library.open(library_folder(name)) as library:
        searcher = open_searcher(**chosen.in_library(library), **loaded)
        hits = search_library(searcher, library, terms, limits, failed.append)
        total = len(library.videos())
    for hit in hits:
        if hit.missing:
            todo = "rdmf index --prune removes it from the library"
            say("note", f"{hit.video}: this file is gone; {todo}")
    return hits, total


def asked(
    words: Sequence[str],
    query: str | None,
    files_from: str | None,
    null: bool,
    library: str | None,
    pictured: bool,
) -> tuple[list[str], list[str]]:
    """Separate the paths from the sentence; if `pictured` is True, the sentence may be missing."""
    from rdmf_cli.cli.listed import names_from
    from rdmf_cli.cli.video_names import is_video
    from rdmf_cli.errors import UsageError

    def is_path(word: str) -> bool:
        return query is not None or (library is None and is_video(word))

    paths = [word for word in words if is_path(word)]
    sentences = [word for word in words if not is_path(word)]
    sentences += [] if query is None else [query]
    if files_from is not None:
        paths += names_from(files_from, null)
    elif null:
        raise UsageError("needs --files-from", "-0", "add --files-from, or leave -0 out")
    if library is not None and paths:
        what = "cannot be searched together with paths"
        raise UsageError(what, f"--library {library}", "leave out one of them")
    if len(sentences) > 1:
        first, second = sentences[:2]
        todo = "check their names, or ask one thing at a time"
        raise UsageError(f"neither {first!r} nor {second!r} names a file or folder", todo=todo)
    if library is None and not paths:
        raise UsageError("no path is given", todo='type: rdmf search FOLDER "a sentence"')
    if not sentences and not pictured:
        todo = f"to look for {words[-1]!r}, type --query {words[-1]!r}" if words else 'add "..."'
        raise UsageError("no sentence is given", todo=todo)
    return paths, sentences

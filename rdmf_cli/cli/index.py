"""rdmf index: build and refresh a library."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rdmf_cli.cli import options, output_options
from rdmf_cli.text import counted, one_line

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher
    from rdmf_cli.library.catalogue import Root
    from rdmf_cli.library.indexing import Refreshed
    from rdmf_cli.library.library import Library

LibraryName = Annotated[
    str, typer.Option("--library", help="The library: a name, or the path of its folder.")
]


def index(
    paths: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="PATH...", help="Videos and folders; none: those indexed before."),
    ] = None,
    library: LibraryName = "default",
    files_from: options.FilesFrom = None,
    null: options.Null = False,
    exclude: options.Exclude = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, max=64, help="Videos to extract at once.")
    ] = 1,
    status: Annotated[
        bool, typer.Option("--status", help="Show what the library holds; change nothing.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Forget videos that are gone or failed; index nothing.")
    ] = False,
    clip_length: options.OwnClipLength = None,
    encoder: options.EncoderName = "auto",
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    as_json: options.Json = False,
    quiet: output_options.Quiet = False,
) -> None:
    """Extract all videos of PATH into a library, which `rdmf search --library` answers from.

    What is in the library and has not changed is not decoded again. Ended at any point, the
    command can be given again, and goes on.
    """
    from rdmf_cli.api.searching import Chosen
    from rdmf_cli.cli.batch import open_searcher
    from rdmf_cli.errors import UsageError
    from rdmf_cli.library.library import Library, library_folder

    folder = library_folder(library)
    if status and prune:
        raise UsageError("cannot be given together", "--status and --prune", "give one of them")
    if (status or prune) and (paths or files_from):
        which = "--status" if status else "--prune"
        raise UsageError("takes no path: it is about the whole library", which, "leave them out")
    if status:
        with Library.open(folder) as opened:
            _show_status(opened, as_json)
        return
    if prune:
        with Library.open(folder) as opened, opened.writing(_note):
            _prune(opened)
        return
    roots = _roots(paths or [], files_from, null, exclude or ())
    with Library.make(folder) if roots else Library.open(folder) as opened:
        chosen = Chosen(encoder, clip_length, decoder).in_library(opened)
        searcher = open_searcher(**chosen, device=device)
        with opened.writing(_note):
            done = _refresh(opened, searcher, roots or opened.catalogue.roots(), jobs, as_json)
        _show_status(opened, as_json, done)
    _end(done)


def _roots(
    paths: Sequence[str], files_from: str | None, null: bool, exclude: Sequence[str]
) -> list[Root]:
    from rdmf_cli.cli.listed import names_from
    from rdmf_cli.library.indexing import absolute_root

    names = [*paths, *(() if files_from is None else names_from(files_from, null))]
    return [absolute_root(name, exclude) for name in names]


def _refresh(
    library: Library, searcher: Searcher, roots: Sequence[Root], jobs: int, as_json: bool
) -> Refreshed:
    from rdmf_cli.api.indexing import refresh_library
    from rdmf_cli.cli.report import report, say_warnings
    from rdmf_cli.cli.work_bar import work_progress

    with work_progress() as show:
        done = refresh_library(
            searcher, library, roots, jobs=jobs, show=show, on_warning=say_warnings
        )
    for error in done.failed:
        report(error, as_json)
    if done.missing:
        gone = counted(len(done.missing), "video")
        _note(f"{gone} of the library cannot be found any more; rdmf index --prune forgets them")
    return done


def _show_status(library: Library, as_json: bool, done: Refreshed | None = None) -> None:
    from rdmf_cli.library.status import status_of

    status = status_of(library)
    if as_json:
        from rdmf_cli.outputs.json_lines import JsonWriter

        JsonWriter(sys.stdout).write(status)
        return
    hours = f"{status.duration / 3600:.1f} hours"
    typer.echo(
        f"{one_line(status.library)}: {counted(status.indexed, 'video')}, {hours}, ", nl=False
    )
    typer.echo(f"{status.clips:,} clips of {status.clip_length or 0:g} s, {status.encoder}")
    if done is not None:
        typer.echo(f"new or changed: {len(done.indexed)}, as before: {len(done.unchanged)}")
        return
    for problem in status.problems:
        why = f" ({problem.reason})" if problem.reason else ""
        typer.echo(f"{problem.state}: {one_line(problem.video)}{one_line(why)}")


def _prune(library: Library) -> None:
    videos, entries = library.prune()
    typer.echo(f"{counted(videos, 'video')} forgotten, features of {entries} removed")


def _end(done: Refreshed) -> None:
    from rdmf_cli.cli.report import end_command

    end_command(len(done.failed), len(done.failed) + len(done.indexed) + len(done.unchanged))


def _note(line: str) -> None:
    from rdmf_cli.cli.report import say

    say("note", line)

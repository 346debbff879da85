"""rdmf index --watch: print what happens, and end on Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from rdmf_cli.text import clock, counted, one_line

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher
    from rdmf_cli.library.catalogue import Root
    from rdmf_cli.library.indexing import Refreshed
    from rdmf_cli.library.library import Library
    from rdmf_cli.library.types import Hit


def watch_library(
    library: Library,
    searcher: Searcher,
    roots: Sequence[Root],
    jobs: int,
    queries: Sequence[str],
    command: str | None,
    cooldown: float,
    as_json: bool,
) -> None:
    """Follow the folders until Ctrl-C; Ctrl-C is the normal end of this command."""
    from rdmf_cli.api.hook import Hook
    from rdmf_cli.api.watching import Listeners, Watch
    from rdmf_cli.cli.indexing import note
    from rdmf_cli.cli.report import report, say, say_warnings
    from rdmf_cli.cli.work_bar import work_progress

    hook = None if command is None else Hook(command, cooldown)
    with work_progress() as show:
        listeners = Listeners(
            refreshed=_refreshed,
            hit=_json_hit if as_json else _hit,
            error=lambda error: report(error, as_json),
            hook_error=lambda error: say("warning", str(error)),
            warning=say_warnings,
            show=show,
            notify=note,
        )
        watch = Watch(searcher, library, roots, queries, hook, jobs, listeners)
        try:
            note("watching; Ctrl-C ends it")
            watch.run()
        except KeyboardInterrupt:
            note("stopped; the library is complete up to now")


def _refreshed(done: Refreshed) -> None:
    from rdmf_cli.cli.indexing import note

    for path in done.indexed:
        note(f"{path}: indexed")
    if done.missing:
        note(f"{counted(len(done.missing), 'video')} of the library cannot be found any more")


def _hit(hit: Hit) -> None:
    at = f"{clock(hit.start)}-{clock(hit.end)}"
    typer.echo(f"{hit.relevance:.2f}  {at}  {one_line(hit.video)}  {one_line(hit.query)}")
    sys.stdout.flush()


def _json_hit(hit: Hit) -> None:
    from rdmf_cli.outputs.json_lines import JsonWriter

    JsonWriter(sys.stdout).write(hit)
    sys.stdout.flush()

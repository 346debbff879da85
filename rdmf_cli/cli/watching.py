"""rdmf index --watch: print what happens, and end on Ctrl-C."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from rdmf_cli.text import clock, counted, one_line

if TYPE_CHECKING:
    from rdmf_cli.api.watching import Watch
    from rdmf_cli.library.indexing import Refreshed
    from rdmf_cli.library.types import Hit


def watch_library(watch: Watch, as_json: bool) -> None:
    """Follow the folders until Ctrl-C; Ctrl-C is the normal end of this command."""
    from rdmf_cli.api.watching import Listeners
    from rdmf_cli.cli.indexing import note
    from rdmf_cli.cli.report import report, say, say_warnings
    from rdmf_cli.cli.work_bar import work_progress

    with work_progress() as show:
        watch.listeners = Listeners(
            refreshed=_refreshed,
            hit=_json_hit if as_json else _hit,
            error=lambda error: report(error, as_json),
            hook_error=lambda error: say("warning", str(error)),
            warning=say_warnings,
            show=show,
            notify=note,
        )
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

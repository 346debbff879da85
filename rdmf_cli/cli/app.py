"""The root command and its parts."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rdmf_cli.cli.report import debugging, errors_reported


class ReportingGroup(TyperGroup):
    """Every command's failures pass here, and become a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        with errors_reported(as_json=_wants_json(sys.argv)):
            return super().invoke(ctx)


def _wants_json(arguments: list[str]) -> bool:
    return any(word in ("--json", "--format=json") for word in arguments) or any(
        pair == ("--format", "json") for pair in pairwise(arguments)
    )


app = typer.Typer(
    name="rdmf",
    cls=ReportingGroup,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=debugging(),
    pretty_exceptions_show_locals=False,  # some typers show them, and they may hold a token
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find the moments of a video that a sentence describes.",
    epilog='Try: rdmf query VIDEO "a man opens the door"',
)


def _version(wanted: bool) -> None:
    if wanted:
        from rdmf_cli import __version__

        typer.echo(f"rdmf {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    pass


def _register() -> None:
    from rdmf_cli.cli import (
        analyze,
        cache,
        compare,
        doctor,
        eval,
        extract,
        fuse,
        index,
        query,
        search,
        train,
        weights,
    )

    app.command("query")(query.query)
    app.command("search", rich_help_panel="Find")(search.search)
    app.command("index", rich_help_panel="Find")(index.index)
    app.command("extract")(extract.extract)
    app.command("fuse")(fuse.fuse)
    app.command("eval")(eval.eval_)
    app.command("compare", rich_help_panel="Research")(compare.compare)
    app.command("analyze", rich_help_panel="Research")(analyze.analyze)
    app.command("train")(train.train)
    app.add_typer(cache.app, name="cache")
    app.add_typer(weights.app, name="weights")
    app.command("doctor")(doctor.doctor)


_register()

"""The root command and its subcommands."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rdmf_cli.cli.quiet import begin
from rdmf_cli.cli.report import debugging, errors_reported


class ReportingGroup(TyperGroup):
    """Turn a failure of any command into a message and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the command line; `rdmf VIDEO` stands for `rdmf query VIDEO`."""
        from rdmf_cli.cli.shortcut import with_query

        return super().parse_args(ctx, with_query(args, self.commands))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the user typed."""
        begin()
        with errors_reported(as_json=_wants_json(sys.argv)):
            return super().invoke(ctx)


def _wants_json(arguments: list[str]) -> bool:
    return any(word in ("--json", "--format=json") for word in arguments) or any(
        pair == ("--format", "json") for pair in pairwise(arguments)
    )


PANELS = FIND, LIBRARY, RESEARCH, UPKEEP = ("Find", "Library", "Research", "Upkeep")
"""Panels in which `rdmf --help` lists the commands."""

app = typer.Typer(
    name="rdmf",
    cls=ReportingGroup,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=debugging(),
    pretty_exceptions_show_locals=False,  # some versions of typer show them; they may hold a token
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find the moments of a video that a sentence describes.",
    epilog='Try: rdmf VIDEO "a man opens the door"',
)


def _version(wanted: bool) -> None:
    if wanted:
        from rdmf_cli import __version__

        typer.echo(f"rdmf {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options of `rdmf` itself."""


def _register() -> None:
    from rdmf_cli.cli import (
        analyze,
        cache,
        compare,
        cut,
        data,
        doctor,
        eval,
        export,
        extract,
        fuse,
        index,
        play,
        query,
        search,
        serve,
        train,
        weights,
    )

    app.command("query", rich_help_panel=FIND)(query.query)
    app.command("search", rich_help_panel=FIND)(search.search)
    app.command("play", rich_help_panel=FIND)(play.play)
    app.command("serve", rich_help_panel=FIND)(serve.serve)
    app.command("cut", rich_help_panel=FIND)(cut.cut)
    app.command("index", rich_help_panel=LIBRARY)(index.index)
    app.command("train", rich_help_panel=RESEARCH)(train.train)
    app.command("export", rich_help_panel=RESEARCH)(export.export)
    app.command("eval", rich_help_panel=RESEARCH)(eval.eval_)
    app.command("compare", rich_help_panel=RESEARCH)(compare.compare)
    app.command("analyze", rich_help_panel=RESEARCH)(analyze.analyze)
    app.add_typer(data.app, name="data", rich_help_panel=RESEARCH)
    app.command("fuse", rich_help_panel=RESEARCH)(fuse.fuse)
    app.command("extract", rich_help_panel=UPKEEP)(extract.extract)
    app.add_typer(cache.app, name="cache", rich_help_panel=UPKEEP)
    app.add_typer(weights.app, name="weights", rich_help_panel=UPKEEP)
    app.command("doctor", rich_help_panel=UPKEEP)(doctor.doctor)


_register()

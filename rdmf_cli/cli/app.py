"""The root command and its subcommands."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rdmf_cli.cli.commands import LoadedCommands, refuse_empty
from rdmf_cli.cli.defaults import json_by_default
from rdmf_cli.cli.defaults import take as take_settings
from rdmf_cli.cli.quiet import begin
from rdmf_cli.cli.report import debugging, errors_reported


class ReportingGroup(TyperGroup):
    """The root: load the command that the user typed, and turn its failure into a message."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.commands = LoadedCommands()

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, in the order of help."""
        return list(self.commands)

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Read the command line; `rdmf VIDEO` stands for `rdmf query VIDEO`."""
        from rdmf_cli.cli.shortcut import with_query

        with errors_reported(as_json=lambda: _wants_json(sys.argv)):
            return super().parse_args(ctx, with_query(args, self.commands))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the user typed."""
        begin()
        with errors_reported(as_json=lambda: _wants_json(sys.argv) or json_by_default(ctx)):
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, and give it the user's settings."""
        name, command, words = super().resolve_command(ctx, args)
        if command is not None:
            refuse_empty(words)
            take_settings(ctx, self, name, command, words)
        return name, command, words


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

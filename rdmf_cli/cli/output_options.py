"""The options about what is shown and where it goes."""

from __future__ import annotations

from typing import Annotated

import typer


def _set_quiet(quiet: bool) -> bool:
    from rdmf_cli.cli.quiet import begin

    begin(quiet)
    return quiet


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        callback=_set_quiet,
        help="Show no notes, warnings and progress; errors are shown.",
    ),
]

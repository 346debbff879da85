"""The options that set what is shown and where the output goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

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
        help="Print no notes, warnings or progress; errors are still printed.",
    ),
]
Html = Annotated[
    Optional[Path],  # noqa: UP045  (typer reads this at run time on Python 3.10)
    typer.Option(
        "--html",
        metavar="FILE",
        help="Also write a web page with pictures, a player and a saliency curve to click on.",
    ),
]
Embed = Annotated[
    bool,
    typer.Option("--embed", help="Put a small video of each moment into the page of --html."),
]

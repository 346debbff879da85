"""rdmf export: write a trained head as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rdmf_cli.cli import options
from rdmf_cli.text import one_line


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run of rdmf train.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write: mine.rdmf")],
    force: options.Force = False,
) -> None:
    """Export a trained head as one file for --checkpoint; this file needs no torch."""
    from rdmf_cli import api

    written = api.export(run, file, force=force)
    typer.echo(one_line(f"the head: {written}"))

"""`rdmf weights`: list the encoders on this machine, and fetch better encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rdmf_cli.cli import options

if TYPE_CHECKING:
    from rich.progress import Progress

app = typer.Typer(
    help="List the encoders on this machine, and fetch better ones.", no_args_is_help=True
)


@app.command("fetch")
def fetch_command(
    name: Annotated[
        str,
        typer.Argument(
            help="small, better, best, multilingual, an open_clip name (ViT-B-32/openai) or "
            "hf-hub:ORG/NAME."
        ),
    ],
    unverified: Annotated[
        bool,
        typer.Option(
            "--unverified",
            help="Accept a file even if the server gives neither its hash nor its size.",
        ),
    ] = False,
) -> None:
    """Download the weights of an encoder; an interrupted download resumes."""
    from rdmf_cli.api.weights import fetch, how_verified
    from rdmf_cli.cli.report import say

    with _progress() as progress:
        entry = fetch(name, _Bars(progress), unverified)
    say("note", f"sha256 {entry.sha256}, {how_verified(entry)}")
    typer.echo(f"{entry.name}: {entry.path}")


@app.command("list")
def list_command(
    everything: Annotated[
        bool, typer.Option("--all", help="Also list encoders that are not on this machine.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List the encoders on this machine, and those that are recommended."""
    from rdmf_cli.api.weights import RECOMMENDED, list_encoders
    from rdmf_cli.cli.output import print_json
    from rdmf_cli.outputs.upkeep import encoder_lines

    encoders = list_encoders(everything)
    if as_json:
        print_json(encoders)
        return
    for line in encoder_lines(encoders):
        typer.echo(line)
    typer.echo("\nrdmf weights fetch NAME (*: recommended; recall: image search in English)")
    for choice in RECOMMENDED:
        typer.echo(choice.line())


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


class _Bars:
    """Show one bar per file."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._tasks: dict[str, object] = {}

    def __call__(self, file: str, done: int, total: int | None) -> None:
        if file not in self._tasks:
            self._tasks[file] = self._progress.add_task(file, completed=done)
        self._progress.update(self._tasks[file], completed=done, total=total)  # type: ignore[arg-type]

"""`rdmf weights`: which encoders are here, and how to bring better ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from rdmf_cli.encoders.base import Listed
    from rdmf_cli.encoders.index import Fetched

app = typer.Typer(
    help="List the encoders on this machine, and fetch better ones.", no_args_is_help=True
)


@app.command("fetch")
def fetch_command(
    name: Annotated[
        str, typer.Argument(help="An open_clip name (ViT-B-32/openai) or hf-hub:ORG/NAME.")
    ],
    unverified: Annotated[
        bool,
        typer.Option(
            "--unverified", help="Take also a file of which the server tells no hash and no length."
        ),
    ] = False,
) -> None:
    """Download an encoder's weights: resumed where they stopped, verified, remembered."""
    from rdmf_cli.cli.report import say
    from rdmf_cli.encoders.registry import fetch

    with _progress() as progress:
        entry = fetch(name, _Bars(progress), unverified)
    say("note", f"sha256 {entry.sha256}, {_verified(entry)}")
    typer.echo(f"{entry.name}: {entry.path}")


def _verified(entry: Fetched) -> str:
    if not entry.verified:
        return "found on this machine, as another program left it"
    by = {"sha256": "a known sha256", "size": "its size alone", "nothing": "nothing"}
    return f"from {entry.source}, verified by {by[entry.verified]}"


@app.command("list")
def list_command(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that would have to be fetched.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the encoders on this machine."""
    from rdmf_cli.encoders.registry import list_encoders

    shown = [listed for listed in list_encoders() if everything or listed.is_here]
    if as_json:
        for listed in shown:
            typer.echo(json.dumps(_as_dict(listed), ensure_ascii=False))
    else:
        _print_lines(shown)


def _as_dict(listed: Listed) -> dict[str, object]:
    path = None if listed.path is None else str(listed.path)
    return {"name": listed.name, "here": listed.is_here, "source": listed.source, "path": path}


def _print_lines(shown: list[Listed]) -> None:
    """Not a rich table: a path that is cut or folded cannot be copied."""
    width = max(len(listed.name) for listed in shown)
    for listed in shown:
        place = (listed.source or "not here", str(listed.path or ""))
        typer.echo(f"{listed.name:<{width}}  {'  '.join(place)}".rstrip())


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
    """One bar a file."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._tasks: dict[str, object] = {}

    def __call__(self, file: str, done: int, total: int | None) -> None:
        if file not in self._tasks:
            self._tasks[file] = self._progress.add_task(file, completed=done)
        self._progress.update(self._tasks[file], completed=done, total=total)  # type: ignore[arg-type]

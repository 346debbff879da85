"""rdmf cache: look at the feature cache and keep it small."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from rdmf_cli.cli import options

app = typer.Typer(no_args_is_help=True, help="List or remove cached features.")


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """List the entries of the cache, the most recently used first."""
    from rdmf_cli.api.cache import list_cache
    from rdmf_cli.cli.output import print_json, print_rich
    from rdmf_cli.outputs.upkeep import cache_table

    entries = list_cache()
    if as_json:
        print_json(entries)
    else:
        print_rich(cache_table(entries))


@app.command()
def size(as_json: options.Json = False) -> None:
    """Show the size of the cache and its limit."""
    from rdmf_cli.api.cache import cache_size
    from rdmf_cli.cli.output import print_result
    from rdmf_cli.outputs.upkeep import cache_size_in_words

    print_result(cache_size(), as_json, cache_size_in_words)


@app.command()
def prune(
    to: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--to", min=0, help="Megabytes to keep; by default the cache's limit."),
    ] = None,
) -> None:
    """Remove entries until the cache is small enough, the least recently used first."""
    from rdmf_cli.api.cache import cache_size, prune_cache
    from rdmf_cli.outputs.upkeep import in_units

    removed = prune_cache(to)
    typer.echo(f"{_entries(removed)} removed, {in_units(cache_size().bytes)} left")


@app.command()
def clear() -> None:
    """Remove all entries."""
    from rdmf_cli.api.cache import clear_cache

    typer.echo(f"{_entries(clear_cache())} removed")


@app.command()
def remove(
    video: Annotated[
        Path,
        typer.Argument(metavar="VIDEO", help="A video file, even if it does not exist any more."),
    ],
) -> None:
    """Remove all entries of a video and of copies of it."""
    from rdmf_cli.api.cache import forget_video
    from rdmf_cli.cli.report import say

    count = forget_video(video)
    typer.echo(f"{_entries(count)} removed")
    if not count:
        lost = "" if video.exists() else "; no such file: check the name and the folder"
        say("note", f"{video}: nothing of it is in the cache{lost}")


@app.command()
def where() -> None:
    """Show the folder of the cache; the variable RDMF_CACHE_DIR changes it."""
    from rdmf_cli.api.cache import cache_folder

    typer.echo(str(cache_folder()))


def _entries(count: int) -> str:
    from rdmf_cli.text import counted

    return counted(count, "entry", "entries")

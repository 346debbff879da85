"""rdmf cache: look at the feature cache and keep it small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from rdmf_cli.cli import options

if TYPE_CHECKING:
    from rdmf_cli.features.store import CacheEntry

app = typer.Typer(
    no_args_is_help=True, help="The feature cache: list, size, prune, remove, clear, where."
)


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """What is in the cache, the most recently used first."""
    from rdmf_cli.features import FeatureStore

    entries = FeatureStore().entries()
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(_told(entry)))
    elif not entries:
        typer.echo("The cache is empty.")
    else:
        _print_table(entries)


@app.command()
def size(as_json: options.Json = False) -> None:
    """How much room the cache takes, and how much it may take."""
    from rdmf_cli.features import FeatureStore

    store = FeatureStore()
    if as_json:
        typer.echo(json.dumps({"bytes": store.size(), "limit_bytes": store.limit}))
    else:
        typer.echo(f"{_size(store.size())} of at most {_size(store.limit)}")


@app.command()
def prune(
    to: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--to", min=0, help="Megabytes to keep; by default the cache's limit."),
    ] = None,
) -> None:
    """Remove what was not used for longest, until the cache is small enough."""
    from rdmf_cli.features import FeatureStore
    from rdmf_cli.features.store import megabytes

    store = FeatureStore()
    removed = store.prune(store.limit if to is None else megabytes(to, "--to"))
    typer.echo(f"{len(removed)} entries removed, {_size(store.size())} left")


@app.command()
def clear() -> None:
    """Remove everything."""
    from rdmf_cli.features import FeatureStore

    typer.echo(f"{FeatureStore().clear()} entries removed")


@app.command()
def remove(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video, here or gone since.")],
) -> None:
    """Forget a video: remove all that was made of it, also of copies of it."""
    from rdmf_cli.cli.report import say
    from rdmf_cli.features import FeatureStore
    from rdmf_cli.features.fingerprint import content_fingerprint
    from rdmf_cli.text import one_line

    content = content_fingerprint(video) if video.is_file() else None
    count = FeatureStore().remove_video(str(video.resolve()), content)
    typer.echo(f"{count} entries removed")
    if not count:
        lost = "" if video.exists() else "; no such file: check the name and the folder"
        say("note", f"{one_line(str(video))}: nothing of it is in the cache{lost}")


@app.command()
def where() -> None:
    """The folder of the cache (set by RDMF_CACHE_DIR)."""
    from rdmf_cli.features import FeatureStore

    typer.echo(str(FeatureStore().folder))


def _told(entry: CacheEntry) -> dict[str, object]:
    return {
        "video": entry.about.get("video"),
        "encoder": entry.about.get("encoder"),
        "clip_length": entry.about.get("clip_length"),
        "duration": entry.about.get("duration"),
        "bytes": entry.bytes,
        "used": entry.used,
        "file": str(entry.path),
    }


def _print_table(entries: list[CacheEntry]) -> None:
    import datetime

    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from rdmf_cli.text import one_line

    table = Table("video", "encoder", "clip", "size", "used", box=box.SIMPLE_HEAD)
    for entry in entries:
        about, used = entry.about, datetime.datetime.fromtimestamp(entry.used)
        table.add_row(
            escape(one_line(Path(about["video"]).name)),
            escape(one_line(str(about.get("encoder") or ""))),
            f"{about['clip_length']:g} s" if "clip_length" in about else "",
            _size(entry.bytes),
            f"{used:%Y-%m-%d %H:%M}",
        )
    Console(highlight=False).print(table)


def _size(count: int) -> str:
    from rich.filesize import decimal

    return decimal(count)

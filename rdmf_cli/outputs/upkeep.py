"""Show the cache, the encoders and the installation as tables for people."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rdmf_cli.outputs.payloads.upkeep import CacheEntry, CacheSize, Diagnosis, EncoderEntry
from rdmf_cli.text import one_line

STATES = {"ok": "[green]ok[/]", "absent": "[dim]absent[/]", "failed": "[red]FAILED[/]"}


def cache_table(entries: Sequence[CacheEntry]) -> RenderableType:
    """Make the table of `rdmf cache list`."""
    if not entries:
        return Text("The cache is empty.")
    table = Table("video", "encoder", "clip", "size", "used", box=box.SIMPLE_HEAD)
    for entry in entries:
        used = datetime.datetime.fromtimestamp(entry.used)
        table.add_row(
            escape(one_line(Path(entry.video or "").name)),
            escape(one_line(entry.encoder or "")),
            "" if entry.clip_length is None else f"{entry.clip_length:g} s",
            in_units(entry.bytes),
            f"{used:%Y-%m-%d %H:%M}",
        )
    return table


def cache_size_in_words(size: CacheSize) -> Text:
    """Make the line of `rdmf cache size`."""
    towers = f"; towers in the data folder: {in_units(size.towers_bytes)}"
    cache = f"{in_units(size.bytes)} of at most {in_units(size.limit_bytes)}"
    return Text(cache + (towers if size.towers_bytes else ""))


def in_units(count: int) -> str:
    """Write a number of bytes in kB, MB or GB."""
    return str(decimal(count))


def encoder_lines(encoders: Sequence[EncoderEntry]) -> Iterable[str]:
    """Make the lines of `rdmf weights list`; a table would cut or fold paths that users copy."""
    width = max((len(encoder.name) for encoder in encoders), default=0)
    for encoder in encoders:
        place = (encoder.source or "not here", encoder.path or "")
        yield f"{encoder.name:<{width}}  {'  '.join(place)}".rstrip()


def diagnosis_table(diagnosis: Diagnosis) -> Table:
    """Make the table of `rdmf doctor`."""
    table = Table(box=box.SIMPLE_HEAD, show_header=False)
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")  # paths that users copy stay whole
    for check in diagnosis.checks:
        table.add_row(check.name, STATES[check.state], escape(check.detail))
    return table

"""Show a comparison as tables for the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from rdmf_cli.outputs.comparison_cells import (
    DIFFERENCE_COLUMNS,
    TALLY_COLUMNS,
    difference_row,
    tally_row,
)
from rdmf_cli.outputs.payloads.comparison import Comparison
from rdmf_cli.text import counted, one_line, queries


@dataclass(frozen=True)
class ComparisonTables:
    """Show the metrics of each file beside the baseline's, then wins and losses by group."""

    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        made = self.comparison
        about = (
            f"{made.dataset}, {queries(made.queries)} on {counted(made.videos, 'video')}, per cent"
        )
        yield line(about)
        for other in made.others:
            yield line(f"{other.file} against {made.baseline}")
            columns = [
                f"{made.confidence:.0%}" if c == "interval" else c for c in DIFFERENCE_COLUMNS
            ]
            yield table_of(columns, [difference_row(row) for row in other.differences])
            yield line(f"wins and losses by {made.metric}")
            yield table_of(TALLY_COLUMNS, [tally_row(row) for row in other.tallies], words=2)


def line(text: str) -> Text:
    """Make a line above a table; the line is not wrapped."""
    return Text(f"\n  {one_line(text)}", no_wrap=True, overflow="ignore")


def table_of(columns: list[str], rows: list[list[str]], words: int = 1) -> Table:
    """Make a table: its first `words` columns are text, all further columns are numbers."""
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < words else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    return table

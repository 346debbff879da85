"""A comparison as tables for the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rdmf_cli.outputs.comparison import (
    DIFFERENCE_COLUMNS,
    TALLY_COLUMNS,
    AgainstRecord,
    ComparisonRecord,
    difference_row,
    tally_row,
)
from rdmf_cli.text import one_line


def print_comparison(record: ComparisonRecord, console: Console) -> None:
    """Print the metrics of each file beside the baseline's, then wins and losses by group."""
    about = f"{record.dataset}, {record.queries:,} queries on {record.videos:,} videos, per cent"
    console.print(f"\n  {one_line(about)}", markup=False)
    for other in record.others:
        _print_against(record, other, console)


def _print_against(record: ComparisonRecord, other: AgainstRecord, console: Console) -> None:
    title = f"\n  {one_line(other.file)} against {one_line(record.baseline)}"
    console.print(title, markup=False, soft_wrap=True)
    columns = [f"{record.confidence:.0%}" if c == "interval" else c for c in DIFFERENCE_COLUMNS]
    console.print(table_of(columns, [difference_row(row) for row in other.differences]))
    console.print(f"  wins and losses by {one_line(record.metric)}", markup=False)
    console.print(table_of(TALLY_COLUMNS, [tally_row(row) for row in other.tallies], words=2))


def table_of(columns: list[str], rows: list[list[str]], words: int = 1) -> Table:
    """Make a table whose first `words` columns are text and whose others are numbers."""
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < words else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    return table

"""Text and tables for the terminal, made of rich's parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rich.box import SIMPLE_HEAD, Box
from rich.table import Table
from rich.text import Text

from rdmf_cli.text import one_line

Justify = Literal["left", "right"]

FAINT = "bright_black"
BETWEEN, EDGES = 3, 2  # columns between two columns of a table, and at its ends together
SIMPLE_HEAD_ASCII = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def printable(text: str, encoding: str) -> Text:
    """The text on one line as rich prints it; what the encoding lacks is written as `\\u....`."""
    return Text(one_line(text).encode(encoding, "backslashreplace").decode(encoding))


def shortened(text: Text, columns: int, ascii_only: bool) -> Text:
    """The text, and where it is longer than so many columns, its start and an ellipsis."""
    if text.cell_len <= columns:
        return text
    ellipsis = "..." if ascii_only else "…"
    start = text.copy()
    start.truncate(columns - len(ellipsis))
    return start.append(ellipsis)


def plain_table(ascii_only: bool, heads: Iterable[tuple[str, Justify]]) -> Table:
    """A table ruled under its heads only; what does not fit is folded, never `…` (not in ASCII)."""
    outline = SIMPLE_HEAD_ASCII if ascii_only else SIMPLE_HEAD
    table = Table(box=outline, show_edge=False, header_style=FAINT, border_style=FAINT)
    for head, justify in heads:
        table.add_column(Text(head), justify=justify, overflow="fold")
    return table

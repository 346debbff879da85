"""Text and tables for the terminal, made with rich."""

from __future__ import annotations

from collections.abc import Iterable
from errno import EPIPE
from typing import Literal

from rich.box import SIMPLE_HEAD, Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rdmf_cli.text import one_line

Justify = Literal["left", "right"]

FAINT = "dim"  # visible in every colour scheme; in some, bright black is the background
BETWEEN, EDGES = 3, 2  # characters between two columns, and at both ends of a table together
SIMPLE_HEAD_ASCII = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


class PipeConsole(Console):
    """Raise BrokenPipeError if the program that reads a pipe has ended: `rdmf query ... | head`.

    rich would end the process with exit code 1; the command line ends it with 0.
    """

    def on_broken_pipe(self) -> None:
        """Raise the error that rich has caught.

        Raises:
            BrokenPipeError: Always.
        """
        raise BrokenPipeError(EPIPE, "the reader of the pipe has gone")


def stderr_console(quiet: bool = False) -> Console:
    """Return a console on stderr, or of the notebook; a quiet console prints nothing."""
    if quiet:
        return Console(stderr=True, highlight=False, quiet=True, force_terminal=False)
    return Console(stderr=True, highlight=False)


def printable(text: str, encoding: str) -> Text:
    r"""Return text on one line; characters outside the encoding become `\u....`."""
    return Text(one_line(text).encode(encoding, "backslashreplace").decode(encoding))


def shortened(text: Text, columns: int, ascii_only: bool) -> Text:
    """Cut text to a number of columns, with an ellipsis at its end.

    Args:
        text: The text.
        columns: The largest number of columns.
        ascii_only: Use `...` and not `…`.
    """
    if text.cell_len <= columns:
        return text
    ellipsis = "..." if ascii_only else "…"
    start = text.copy()
    start.truncate(columns - len(ellipsis))
    return start.append(ellipsis)


def plain_table(ascii_only: bool, heads: Iterable[tuple[str, Justify]]) -> Table:
    """Make a table with a line below its header; text that is too wide is wrapped, not cut.

    Args:
        ascii_only: Draw with ASCII.
        heads: Title and alignment of each column.
    """
    outline = SIMPLE_HEAD_ASCII if ascii_only else SIMPLE_HEAD
    table = Table(box=outline, show_edge=False, header_style=FAINT, border_style=FAINT)
    for head, justify in heads:
        table.add_column(Text(head), justify=justify, overflow="fold")
    return table

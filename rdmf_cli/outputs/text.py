"""Times as people read them, and text that is safe to print."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

from rich.box import SIMPLE_HEAD, Box
from rich.table import Table
from rich.text import Text

Justify = Literal["left", "right"]

FAINT = "bright_black"
BETWEEN, EDGES = 3, 2  # columns between two columns of a table, and at its ends together
SIMPLE_HEAD_ASCII = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that turn the direction of writing, and so can make a name look like another."""
STEERING = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{''.join(sorted(TURNING))}]")
"""Control characters, line breaks that only some programs know, and signs that turn writing."""


def clock(seconds: float, decimals: int = 1) -> str:
    """`m:ss.s`, and `h:mm:ss.s` past an hour; rounded once, so never `0:60.0`.

    >>> clock(83.25), clock(59.96), clock(3600), clock(83, decimals=0)
    ('1:23.2', '1:00.0', '1:00:00.0', '1:23')
    """
    unit = 10**decimals
    whole, part = divmod(round(seconds * unit), unit)
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{start}:{secs:02d}" + (f".{part:0{decimals}d}" if decimals else "")


def time_code(seconds: float, mark: str) -> str:
    """`hh:mm:ss<mark>mmm`, the time code of subtitles (mark: "," in SRT, "." in WebVTT)."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{secs:02d}{mark}{milliseconds:03d}"


def one_line(text: str) -> str:
    """The text on one line, without what could steer a terminal (escapes, control codes).

    Names of files and queries come from outside; a file name may hold an escape sequence.
    """
    return without_controls(" ".join(text.split()))


def without_controls(text: str) -> str:
    """Replace what could steer a terminal or a player; line feeds stay."""
    marked = ("\N{REPLACEMENT CHARACTER}" if _steers(sign) else sign for sign in text)
    return "".join(marked)


def valid_text(text: str) -> str:
    """A file name that is not valid UTF-8 reaches Python as lone surrogates; JSON has none."""
    return LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


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


def _steers(sign: str) -> bool:
    return sign != "\n" and (unicodedata.category(sign) in {"Cc", "Cs"} or sign in TURNING)

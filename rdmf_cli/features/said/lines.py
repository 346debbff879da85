"""Lines of speech: their text without markup, and the times at which they are said."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rdmf_cli.text import valid_text, without_controls

AUTO: Final = "auto"
NONE: Final = "none"

MOST_LINES: Final = 50_000
"""Largest number of lines that are read. A film of three hours has about 3,000 lines."""

MOST_LETTERS: Final = 1_000
"""Largest number of letters of a line that are read."""

NEXT: Final = 0.2
"""If a text is shown again within this many seconds, both showings are one line."""

TAG: Final = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,500}\}")
NOTES: Final = re.compile("[\u2669-\u266c]+")


@dataclass(frozen=True)
class Line:
    """One line of speech.

    Attributes:
        start: Start in seconds, as a player shows time.
        end: End in seconds, after the start.
        text: The words, without markup and line breaks.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Said:
    """All that is said in a video.

    Attributes:
        lines: The lines, ordered by start, then by end.
        source: Where the lines come from, in words for the user; empty if there are no lines.
        warnings: Unusual facts about the lines, one sentence each.
    """

    lines: tuple[Line, ...] = ()
    source: str = ""
    warnings: tuple[str, ...] = ()


def plain(text: str) -> str:
    r"""Return the words of a subtitle on one line, without markup.

    >>> plain(r"<i>- Where is</i>{\an8}\Nthe dog&#39;s bowl?")
    "- Where is the dog's bowl?"
    """
    import html  # its table of entities takes 5 ms, and most videos have no subtitles

    unmarked = TAG.sub("", text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " "))
    words = " ".join(NOTES.sub("", html.unescape(unmarked)).split())
    return without_controls(valid_text(words))[:MOST_LETTERS].strip()


def tidied(lines: Iterable[tuple[float, float, str]]) -> tuple[Line, ...]:
    """Make lines from the entries of a file: sort them, drop empty lines, join repetitions.

    A text that is repeated without a pause (layers, scrolling captions) becomes one line. A line
    that does not end after its start is left out.

    Args:
        lines: Start and end in seconds, and text with its markup.
    """
    read = ((start, end, plain(text)) for start, end, text in lines)
    kept = sorted(
        (max(start, 0.0), end, text)
        for start, end, text in read
        if text and math.isfinite(start) and math.isfinite(end) and end > max(start, 0.0)
    )
    made: list[Line] = []
    latest: dict[str, int] = {}
    for start, end, text in kept[:MOST_LINES]:
        at = latest.get(text)
        if at is not None and start <= made[at].end + NEXT:
            made[at] = Line(made[at].start, max(end, made[at].end), text)
            continue
        latest[text] = len(made)
        made.append(Line(start, end, text))
    return tuple(made)

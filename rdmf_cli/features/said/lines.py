"""Lines of speech: their text without markup, and when they are said."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rdmf_cli.text import valid_text, without_controls

AUTO: Final = "auto"
NONE: Final = "none"

MOST_LINES: Final = 50_000
"""Lines that are read at most; a film of three hours has about 3,000."""

MOST_LETTERS: Final = 1_000
"""Letters of a line that are read at most."""

NEXT: Final = 0.2
"""Seconds between two showings of one text that are still one line."""

TAG: Final = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,500}\}")
NOTES: Final = re.compile("[\u2669-\u266c]+")


@dataclass(frozen=True)
class Line:
    """One line of speech.

    Attributes:
        start: Start in seconds, as a player shows it.
        end: End in seconds, after the start.
        text: The words on one line, without markup.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Said:
    """All that is said in a video.

    Attributes:
        lines: The lines by start, then end.
        source: Where they come from, for people; empty where there are none.
        warnings: What is unusual about them, one sentence each.
    """

    lines: tuple[Line, ...] = ()
    source: str = ""
    warnings: tuple[str, ...] = ()


def plain(text: str) -> str:
    r"""Return the words of a subtitle on one line, without markup.

    >>> plain(r"<i>- Where is</i>{\an8}\Nthe dog&#39;s bowl?")
    "- Where is the dog's bowl?"
    """
    unmarked = TAG.sub("", text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " "))
    words = " ".join(NOTES.sub("", html.unescape(unmarked)).split())
    return without_controls(valid_text(words))[:MOST_LETTERS].strip()


def tidied(lines: Iterable[tuple[float, float, str]]) -> tuple[Line, ...]:
    """Make lines of what a file holds: sorted, without empty ones, repetitions joined.

    A text that is shown again at once, as layers and scrolling captions do, is one line. A line
    without a length, or that ends before it starts, is left out.

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

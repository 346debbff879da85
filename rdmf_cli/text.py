"""Make text from outside safe to print, and write times in the form that people read."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of writing and can make one name look like another."""
STEERING = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{''.join(sorted(TURNING))}]")
"""Control characters, unusual line breaks, and characters that change the direction of writing."""


def clock(seconds: float, decimals: int = 1) -> str:
    """Write a time as `m:ss.s`, or from one hour on as `h:mm:ss.s`; it is never `0:60.0`.

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
    """Write a time code of subtitles, `hh:mm:ss<mark>mmm`.

    Args:
        seconds: The time in seconds.
        mark: "," in SRT, "." in WebVTT.
    """
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, secs = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{secs:02d}{mark}{milliseconds:03d}"


def date_and_time(time: datetime) -> str:
    """Write a date and time to the second, with the time zone if it is known.

    >>> date_and_time(datetime.fromisoformat("2024-05-01T12:34:56.700+02:00"))
    '2024-05-01 12:34:56 +02:00'
    """
    written = time.replace(microsecond=0, tzinfo=None).isoformat(" ")
    if time.tzinfo is None:
        return written
    utc = time.utcoffset() == timedelta(0)
    return f"{written} {'UTC' if utc else time.isoformat()[-6:]}"


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun in the singular or plural.

    Args:
        number: The number.
        one: The noun in the singular.
        many: The noun in the plural; by default `one` and an s.

    >>> counted(1, "query", "queries"), counted(0, "entry", "entries"), counted(2000, "clip")
    ('1 query', '0 entries', '2,000 clips')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def queries(number: int) -> str:
    """Name a number of queries: "1 query", "2 queries"."""
    return counted(number, "query", "queries")


def one_line(text: str) -> str:
    """Put text on one line and replace control characters.

    Names of files and queries come from outside; a file name may contain an escape sequence that
    controls the terminal.
    """
    return without_controls(" ".join(text.split()))


def without_controls(text: str) -> str:
    """Replace characters that control a terminal or a player; keep line feeds."""
    marked = ("\N{REPLACEMENT CHARACTER}" if _steers(sign) else sign for sign in text)
    return "".join(marked)


def valid_text(text: str) -> str:
    """Replace invalid Unicode, for example bytes of a file name that are not valid UTF-8.

    Python represents such bytes as lone surrogates, and JSON does not allow lone surrogates.
    """
    return LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _steers(sign: str) -> bool:
    return sign != "\n" and (unicodedata.category(sign) in {"Cc", "Cs"} or sign in TURNING)


NAME_COLUMNS = 24  # the longest name of a file beside a progress bar


def short_name(name: str) -> str:
    """Shorten a file name to leave room for the bar, and escape its control characters."""
    name = one_line(name)
    return name if len(name) <= NAME_COLUMNS else f"{name[: NAME_COLUMNS - 1]}…"

"""When a video was recorded: by the metadata of its file, or by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from rdmf_cli.errors import RdmfError, UsageError

TAGS: Final = ("com.apple.quicktime.creationdate", "creation_time")
"""The tags that state when a recording began, the best first. The tag of QuickTime has a time zone;
FFmpeg writes `creation_time` in UTC, also for the DateUTC of Matroska."""

EARLIEST: Final = datetime(1970, 1, 2, tzinfo=timezone.utc)
"""Earlier dates are the zero of a clock that was never set: 1904 in QuickTime, 1970 in Unix."""

DIRECTIVES: Final = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%m": r"\d{1,2}",
    "%b": r"[^\W\d_]+",
    "%B": r"[^\W\d_]+",
    "%d": r"\d{1,2}",
    "%j": r"\d{3}",
    "%H": r"\d{1,2}",
    "%I": r"\d{1,2}",
    "%p": r"[AaPp][Mm]",
    "%M": r"\d{1,2}",
    "%S": r"\d{1,2}",
    "%f": r"\d{1,6}",
    "%z": r"(?:Z|[+-]\d{2}:?\d{2})",
    "%%": "%",
}
"""The text that each directive of `datetime.strptime` stands for, as a regular expression."""

PACKED: Final = {"%m", "%d", "%H", "%I", "%M", "%S"}
"""Directives of two digits; one digit is possible where no other digit follows."""


def recorded_in(*metadata: Mapping[str, str]) -> datetime | None:
    """Return the time that the metadata of a file states, with its time zone; None: unknown.

    >>> recorded_in({"creation_time": "2024-05-01T12:34:56.000000Z"})
    datetime.datetime(2024, 5, 1, 12, 34, 56, tzinfo=datetime.timezone.utc)

    Args:
        *metadata: The tags of the container, then those of its video stream.
    """
    for tag in TAGS:
        for tags in metadata:
            stated = {name.lower(): value for name, value in tags.items()}.get(tag)
            if stated is not None and (time := _time_of(stated)) is not None:
                return time
    return None


def _time_of(text: str) -> datetime | None:
    text = text.strip().replace(" ", "T", 1)
    fraction = r"(\.\d{1,6})\d*"
    text = re.sub(fraction, r"\1", text)
    for form in ("%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z"):
        for stated in (text, f"{text}Z"):
            try:
                time = datetime.strptime(stated, form)
            except ValueError:
                continue
            return time if time >= EARLIEST else None
    return None


def read_recorded(path: Path) -> datetime | None:
    """Return the time that a file states; None: it states none, or cannot be read."""
    from rdmf_cli.video.info import checked_file
    from rdmf_cli.video.packets import opened

    try:
        with opened(checked_file(path)) as (container, stream):
            return recorded_in(container.metadata, stream.metadata)
    except RdmfError:
        return None


class NameTime:
    """Find the time of a recording in the name of its file.

    >>> NameTime("%Y-%m-%d_%H-%M").find("door_2024-05-01_12-34.mp4")
    datetime.datetime(2024, 5, 1, 12, 34)

    Args:
        pattern: Directives of `datetime.strptime`, and the text between them. It may stand
            anywhere in the name.

    Raises:
        UsageError: The pattern has no date, no hour, or an unknown directive.
    """

    def __init__(self, pattern: str):
        self.pattern = pattern
        parts = re.findall(r"%.?|[^%]+", pattern, re.DOTALL)
        known = {part for part in parts if part.startswith("%")}
        if unknown := sorted(known - DIRECTIVES.keys()):
            todo = f"use {', '.join(DIRECTIVES)}"
            raise UsageError(f"has an unknown directive: {unknown[0]}", _option(pattern), todo)
        if len(known) < sum(part.startswith("%") and part != "%%" for part in parts):
            raise UsageError("has a directive twice", _option(pattern), "write each one once")
        day = "%j" in known or ("%d" in known and known & {"%m", "%b", "%B"})
        if not (day and known & {"%Y", "%y"}):
            todo = "write for example '%Y-%m-%d_%H-%M'"
            raise UsageError("has no date (year, month and day)", _option(pattern), todo)
        if not known & {"%H", "%I"}:
            todo = "write for example '%Y-%m-%d_%H-%M'"
            raise UsageError("has no hour", _option(pattern), todo)
        self._text = re.compile(_expression(parts))

    def find(self, name: str) -> datetime | None:
        """Return the time in the name of a file; None: the name has none.

        Without %z the time has no time zone.
        """
        for found in self._text.finditer(name):
            try:
                return datetime.strptime(found[0], self.pattern)
            except ValueError:  # such as month 13
                continue
        return None


def _option(pattern: str) -> str:
    return f"--name-time {pattern!r}"


def _expression(parts: list[str]) -> str:
    """Write the regular expression of a pattern: no digit comes before or after it."""
    pieces = []
    for part, after in zip(parts, [*parts[1:], ""], strict=True):
        piece = DIRECTIVES.get(part) or re.escape(part)
        if part in PACKED and (after in DIRECTIVES and after not in ("%p", "%z", "%%")):
            piece = r"\d{2}"
        pieces.append(piece)
    return rf"(?<!\d){''.join(pieces)}(?!\d)"


def recording_start(video: Path, stated: str | None, by_name: NameTime | None) -> datetime | None:
    """Return when a recording began (second 0 in a player); None: unknown.

    Args:
        video: The file.
        stated: The time in the file's metadata, in ISO 8601; "": it has none. None: not known, as
            in features of earlier releases, and the file is opened.
        by_name: Finds the time in the name of the file; it comes before the metadata.
    """
    if by_name is not None and (named := by_name.find(video.name)) is not None:
        return named
    if stated is None:
        return read_recorded(video)
    return datetime.fromisoformat(stated) if stated else None

"""Names of files that are written per video or per moment: '{stem}_{rank}.mp4'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter

from rdmf_cli.errors import UsageError
from rdmf_cli.text import one_line

VIDEO_FIELDS = {
    "stem": "the video's file name without its ending",
    "name": "the video's file name",
    "folder": "the video's folder",
}
MOMENT_FIELDS = {
    "rank": "the moment's rank, from 1",
    "query": "the query, as a file name may hold it",
    "start": "where the moment starts, in seconds",
    "end": "where it ends, in seconds",
    "score": "its score, from 0 to 1",
}
LONGEST_QUERY = 60  # signs


def fields_of(template: str, known: Mapping[str, str]) -> set[str]:
    """Find the fields that a name holds.

    Args:
        template: The name, with fields in braces: "{stem}.srt"; a brace itself is written twice.
        known: The fields that it may hold, and what each is.

    Raises:
        UsageError: It holds another field, or a single brace.
    """
    try:
        fields = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise _malformed(template, known) from error
    if fields - set(known):
        raise _malformed(template, known)
    return fields


def video_fields(path: Path) -> dict[str, object]:
    """Make the fields that a name takes from a video."""
    return {"stem": path.stem, "name": path.name, "folder": str(path.parent)}


def filled(template: str, fields: Mapping[str, object]) -> Path:
    """Put the fields into a name.

    Args:
        template: As in `fields_of`; `{rank:02d}` is written as Python does.
        fields: Their values.

    Raises:
        UsageError: A field cannot be written in this way.
    """
    try:
        return Path(template.format_map(fields))
    except (ValueError, AttributeError, LookupError, TypeError) as error:
        raise UsageError(
            f"this name cannot be filled in ({error})", template, "write fields like {rank}"
        ) from error


def as_file_name(query: str) -> str:
    """Write a query so that it can be part of a file name on every system.

    >>> as_file_name('a man: "opens" / the door?')
    'a_man_opens_the_door'
    """
    words = re.sub(r"[^\w'-]+", "_", one_line(query)).strip("_-")
    return words[:LONGEST_QUERY].rstrip("_-") or "query"


def _malformed(template: str, known: Mapping[str, str]) -> UsageError:
    names = ", ".join(f"{{{name}}}" for name in known)
    return UsageError(
        "this name holds a field that there is not, or a single brace",
        template,
        f"take {names}; write a brace itself twice",
    )

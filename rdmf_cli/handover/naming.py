"""Name templates for files that are written per video or per moment: '{stem}_{rank}.mp4'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter

from rdmf_cli.errors import UsageError
from rdmf_cli.text import one_line

VIDEO_FIELDS = {
    "stem": "the video's file name without its suffix",
    "name": "the video's file name",
    "folder": "the video's folder",
}
MOMENT_FIELDS = {
    "rank": "the moment's rank, from 1",
    "query": "the query, with only characters allowed in file names",
    "start": "the moment's start, in seconds",
    "end": "the moment's end, in seconds",
    "score": "its score, from 0 to 1",
}
LONGEST_QUERY = 60  # characters


def fields_of(template: str, known: Mapping[str, str]) -> set[str]:
    """Return the fields of a name template.

    Args:
        template: A name with fields in braces: "{stem}.srt". Write a literal brace twice.
        known: The allowed fields, with a description of each.

    Raises:
        UsageError: The template contains another field, or a single brace.
    """
    try:
        fields = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise _malformed(template, known) from error
    if fields - set(known):
        raise _malformed(template, known)
    return fields


def video_fields(path: Path) -> dict[str, object]:
    """Return the values of the fields that depend on the video."""
    return {"stem": path.stem, "name": path.name, "folder": str(path.parent)}


def filled(template: str, fields: Mapping[str, object]) -> Path:
    """Fill in a name template.

    Args:
        template: The same as in `fields_of`; Python's formats are allowed: `{rank:02d}`.
        fields: The values of the fields.

    Raises:
        UsageError: A value does not fit its format.
    """
    try:
        return Path(template.format_map(fields))
    except (ValueError, AttributeError, LookupError, TypeError) as error:
        raise UsageError(
            f"this name cannot be filled in ({error})",
            template,
            "check the format after the colon; numbers take formats like {rank:02d}",
        ) from error


def as_file_name(query: str) -> str:
    """Convert a query to text that can be part of a file name on every system.

    >>> as_file_name('a man: "opens" / the door?')
    'a_man_opens_the_door'
    """
    words = re.sub(r"[^\w'-]+", "_", one_line(query)).strip("_-")
    return words[:LONGEST_QUERY].rstrip("_-") or "query"


def _malformed(template: str, known: Mapping[str, str]) -> UsageError:
    names = ", ".join(f"{{{name}}}" for name in known)
    return UsageError(
        "holds an unknown field or a single brace",
        template,
        f"the fields are {names}; for a real brace, write the brace twice",
    )

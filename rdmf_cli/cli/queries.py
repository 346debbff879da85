"""Read queries from a file or from stdin."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rdmf_cli.errors import RdmfError, UsageError


def read_queries(name: str) -> list[str]:
    """Read queries: one per line, or JSON Lines with a key `query`. Empty lines are skipped.

    Args:
        name: The file, or "-" for stdin.

    Raises:
        UsageError: There is no query.
        RdmfError: The file cannot be read.
    """
    try:
        text = _stdin() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # the file is missing, or is not text in UTF-8
        todo = "give a text file in UTF-8, or - for stdin"
        raise RdmfError(f"the queries cannot be read ({error})", name, todo) from error
    lines = enumerate(text.lstrip("\ufeff").split("\n"), 1)  # not splitlines: JSON may hold U+2028
    found = [_line_query(name, number, line) for number, line in lines if line.strip()]
    if not found:
        raise UsageError("there is no query in this file", name, "write one query per line")
    return found


def _stdin() -> str:
    if sys.stdin is None:
        raise OSError("stdin is closed")
    return sys.stdin.read()


def _line_query(name: str, number: int, line: str) -> str:
    if not line.lstrip().startswith("{"):
        return line
    try:
        query = json.loads(line)["query"]
        if not isinstance(query, str):
            raise ValueError(query)
        return query
    except (ValueError, KeyError, RecursionError) as error:
        raise RdmfError(
            f"line {number} is not JSON with a key `query` that holds text",
            name,
            "write plain text or JSON Lines",
        ) from error

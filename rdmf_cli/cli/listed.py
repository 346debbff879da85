"""Read names of files from a file or from stdin (--files-from, -0)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rdmf_cli.errors import UsageError
from rdmf_cli.files import content_of


def names_from(source: str, null: bool = False) -> list[str]:
    """Read names of files, one per line.

    Args:
        source: A file, or "-" for stdin.
        null: Each name ends with a zero byte, as `find -print0` writes names, not with a line end.

    Raises:
        UsageError: There is no name.
        RdmfError: The file cannot be read.
    """
    if source == "-":
        if sys.stdin is None:
            raise UsageError("stdin is closed", "--files-from -", "pipe names of files into it")
        content = sys.stdin.buffer.read()
    else:
        content = content_of(Path(source), "the list of files", "give a file of names, or -")
    names = [name.rstrip(b"\r") for name in content.split(b"\0" if null else b"\n")]
    found = [os.fsdecode(name) for name in names if name.strip()]
    if not found:
        raise UsageError("lists no files", f"--files-from {source}", "write one path per line")
    return found

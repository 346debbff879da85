"""Files as bytes: where the system will not let one be read, the error says what to do."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from rdmf_cli.errors import RdmfError

CHECK = "check its name, and that you may read it"


def content_of(path: Path, what: str = "the file", todo: str = CHECK) -> bytes:
    """All of a file; RdmfError, "`what` cannot be read", where it cannot be had."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error, what, todo) from error


def unreadable(
    path: str | PathLike[str], error: OSError, what: str = "the file", todo: str = CHECK
) -> RdmfError:
    """What to raise where the system would not let a file be read."""
    return RdmfError(f"{what} cannot be read ({error.strerror})", path, todo)

"""The one error type of rdmf: what happened, to which file, and what to do."""

from __future__ import annotations

from enum import IntEnum
from os import PathLike, fspath
from typing import Any


class ExitCode(IntEnum):
    """What the process tells the shell."""

    ANSWERED = 0
    FAILED = 1
    USAGE = 2
    SOME_INPUTS_FAILED = 3
    INTERRUPTED = 130


class RdmfError(Exception):
    """A failure that a user can act on.

    what:    what happened, a clause without a full stop: "no video stream in this file"
    subject: the file (or option, or name) it happened to; may be None
    todo:    what to do about it, an imperative without a full stop; may be empty
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, subject: str | PathLike[str] | None = None, todo: str = ""):
        self.what = what
        self.subject = None if subject is None else fspath(subject)
        self.todo = todo
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"{self.subject}: " if self.subject is not None else ""
        return f"{where}{self.what}" + (f"; {self.todo}" if self.todo else "")

    def as_dict(self) -> dict[str, str | None]:
        """The same three facts for JSON output."""
        return {"what": self.what, "subject": self.subject, "todo": self.todo or None}


class UsageError(RdmfError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


def first_problem(error: Any, whole: str) -> str:
    """Where a pydantic ValidationError found something wrong first, and what.

    whole: what to call the place where it is no single field
    """
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"


class MissingExtra(RdmfError):  # noqa: N818  (it is the extra that is missing)
    """A feature needs an optional part of the installation."""

    def __init__(self, feature: str, extra: str):
        super().__init__(
            f"{feature} needs the [{extra}] part of rdmf, which is not installed",
            todo=f"install it with: pip install 'rdmf[{extra}]'",
        )

"""The one error type of rdmf: what happened, to which file, and what to do."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from os import PathLike, fspath
from typing import Any

from rdmf_cli.interrupts import was_interrupted


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


EXTRAS = {
    "clip": ("torch", "open_clip_torch"),
    "train": ("torch", "tensorboard", "onnx", "onnxscript", "matplotlib"),
    "plot": ("matplotlib",),
}
"""The packages of each optional part. rdmf itself is not on a package index, so messages name
them and not `rdmf[clip]`; a test holds the lists equal to pyproject's."""


def how_to_install(extra: str) -> str:
    """Name the command that installs an optional part.

    >>> how_to_install("clip")
    'pip install torch open_clip_torch'
    """
    return f"pip install {' '.join(EXTRAS[extra])}"


class MissingExtra(RdmfError):  # noqa: N818  (it is the extra that is missing)
    """A feature needs an optional part of the installation.

    Args:
        feature: What needs it, the subject of the message: "training".
        extra: The name of the optional part, a key of `EXTRAS`.
    """

    def __init__(self, feature: str, extra: str):
        needed = ", ".join(EXTRAS[extra])
        super().__init__(
            f"{feature} needs packages that are not all installed ({needed})",
            todo=f"install them with: {how_to_install(extra)}",
        )


# What the system says where a file cannot grow: the disk is full, or nothing may be written there.
NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}

DEFECT = "this is a defect of rdmf; run again with RDMF_DEBUG=1 and report what it prints"


@contextmanager
def errors_of(subject: str | PathLike[str]) -> Iterator[None]:
    """Turn whatever goes wrong with one file into an RdmfError that names it.

    Raises RdmfError, KeyboardInterrupt where the cause of an exception was Ctrl-C.
    """
    try:
        yield
    except Exception as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        told = as_rdmf_error(error, subject)
        raise told from (None if told is error else error)


def as_rdmf_error(error: Exception, subject: str | PathLike[str] | None = None) -> RdmfError:
    """Say any exception in words: what happened, to which file, what to do.

    Only what neither the file nor the machine explains is called a defect of rdmf.
    """
    if isinstance(error, RdmfError):
        return error
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's
        todo = "close other programs, or try a longer --clip-length or --device cpu"
        return RdmfError("there is not enough memory", subject, todo)
    if _is_of_ffmpeg(error):
        return RdmfError(f"cannot be decoded ({_reason(error)})", subject, "try --decoder ffmpeg")
    if isinstance(error, OSError):
        return _system_error(error, subject)
    return RdmfError(f"an unexpected failure ({type(error).__name__}: {error})", subject, DEFECT)


def _is_of_ffmpeg(error: Exception) -> bool:
    """Some of PyAV's errors are OSErrors too, and have nothing to do with files being written."""
    decoding = sys.modules.get("av.error")  # not imported: then it cannot be one
    return decoding is not None and isinstance(error, decoding.FFmpegError)


def _system_error(error: OSError, subject: str | PathLike[str] | None) -> RdmfError:
    where = subject if error.filename is None else error.filename
    where = where.decode(errors="replace") if isinstance(where, bytes) else where
    if error.errno in NO_ROOM:
        what, todo = "the output cannot be written", "make room, or write elsewhere"
    else:
        what, todo = "cannot be read or written", "check the file, its permissions and the disk"
    return RdmfError(f"{what} ({_reason(error)})", where, todo)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

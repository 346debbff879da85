"""The error type of rdmf: it tells what happened, to which file or option, and what to do."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from os import PathLike, fspath
from typing import Any

from rdmf_cli.interrupts import was_interrupted


class ExitCode(IntEnum):
    """The exit codes of the `rdmf` command."""

    ANSWERED = 0
    FAILED = 1
    USAGE = 2
    SOME_INPUTS_FAILED = 3
    NOTHING_FOUND = 4
    INTERRUPTED = 130


# If `what` begins with one of these verbs, the file or option is the subject of that verb.
VERBS = (
    "is",
    "are",
    "was",
    "has",
    "cannot",
    "must",
    "does",
    "do",
    "holds",
    "names",
    "lists",
    "needs",
    "takes",
    "works",
)


class RdmfError(Exception):
    """A failure that a user can act on.

    >>> str(RdmfError("no video stream in this file", "a.mp4", "name another file"))
    'a.mp4: no video stream in this file; name another file'
    >>> str(RdmfError("must be after --start (5 s)", "--end"))
    '--end must be after --start (5 s)'

    Args:
        what: What happened, without a full stop. If `what` begins with a verb (one of `VERBS`),
            `subject` is the grammatical subject of the verb.
        subject: The file, option or name that has the problem; may be None.
        todo: What the user should do, as an imperative without a full stop; may be empty.
    """

    exit_code = ExitCode.FAILED

    def __init__(self, what: str, subject: str | PathLike[str] | None = None, todo: str = ""):
        self.what = what
        self.subject = None if subject is None else fspath(subject)
        self.todo = todo
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.what
        if self.subject is not None:
            colon = "" if self.what.partition(" ")[0] in VERBS else ":"
            text = f"{self.subject}{colon} {self.what}"
        return f"{text}; {self.todo}" if self.todo else text

    def as_dict(self) -> dict[str, str | None]:
        """Return `what`, `subject` and `todo` for JSON output."""
        return {"what": self.what, "subject": self.subject, "todo": self.todo or None}


class UsageError(RdmfError):
    """Report a wrong option, argument or value: rdmf cannot do what the caller asked for."""

    exit_code = ExitCode.USAGE


class MissingFileError(RdmfError, FileNotFoundError):
    """Report a missing file or folder; also a FileNotFoundError, as in Python itself."""

    def __init__(self, what: str, subject: str | PathLike[str], todo: str = ""):
        super().__init__(what, subject, todo)
        self.errno, self.strerror, self.filename = errno.ENOENT, what, self.subject


def first_problem(error: Any, whole: str) -> str:
    """Describe the first problem in a pydantic ValidationError: "losses.iou must be a number, …".

    Args:
        error: A `pydantic.ValidationError`.
        whole: What to write in place of the field if the problem concerns the whole record.
    """
    first = error.errors()[0]
    what = _problem(first)
    colon = "" if what.partition(" ")[0] in VERBS else ":"
    return f"{place_of(first) or whole}{colon} {what}"


def place_of(problem: Mapping[str, Any]) -> str:
    """Return the field of a problem that pydantic lists: "losses.iou", "seeds[0]"."""
    parts = [
        f"[{part}]" if isinstance(part, int) else f".{part}"
        for part in problem["loc"]
        if "[" not in str(part)
    ]  # "list[…]" names a type
    return "".join(parts).removeprefix(".")


LONGEST_VALUE = 60  # characters of a wrong value that a message shows

PROBLEMS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "string": "must be a text",
    "bool": "must be true or false",
    **dict.fromkeys(("list", "tuple", "set"), "must be a list"),
    **dict.fromkeys(("dict", "model", "dataclass", "mapping"), "must hold named values"),
    "finite": "must be a finite number",
    "literal": "must be {expected}",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be above {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be below {lt:g}",
}
"""What a value must be, by the beginning of the name of pydantic's error."""


def _problem(problem: Mapping[str, Any]) -> str:
    kind, context = problem["type"], problem.get("ctx") or {}
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return "there is no such setting"
    if kind.startswith("missing"):
        return "is missing"
    if kind in ("too_short", "too_long"):
        short = kind == "too_short"
        limit = context["min_length" if short else "max_length"]
        entries = "entry" if limit == 1 else "entries"
        return f"must have at {'least' if short else 'most'} {limit} {entries}"
    for start, text in PROBLEMS.items():
        if kind == start or kind.startswith(f"{start}_"):
            value = repr(problem["input"])
            shown = value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…"
            return f"{text.format(**context)}, not {shown}"
    return str(problem["msg"])


class NothingFoundError(RdmfError):
    """Report that probably nothing in the videos matches the query."""

    exit_code = ExitCode.NOTHING_FOUND


EXTRAS = {
    "clip": ("torch", "open_clip_torch", "onnx", "tokenizers"),
    "train": ("torch", "tensorboard", "onnx", "onnxscript", "matplotlib", "tomlkit"),
    "plot": ("matplotlib",),
    "speech": ("faster-whisper",),
    "features": ("h5py", "lmdb"),
    "library": ("watchfiles", "faiss-cpu"),
    "cluster": ("ray",),
    "web": ("starlette", "uvicorn"),
    "mcp": ("mcp",),
    "show": ("textual-image",),
    "wandb": ("wandb",),
}
"""The packages of each optional part (extra). rdmf is not on a package index, so messages name
these packages and not `rdmf[clip]`. A test checks that pyproject.toml has the same lists."""


def how_to_install(extra: str) -> str:
    """Return the command that installs an optional part (extra).

    >>> how_to_install("clip")
    'pip install torch open_clip_torch onnx tokenizers'
    """
    return f"pip install {' '.join(EXTRAS[extra])}"


class MissingExtra(RdmfError):  # noqa: N818  (it is the extra that is missing)
    """Report that the packages of an optional part (extra) are not installed.

    Args:
        feature: What needs the packages, for example "training"; the subject of the message.
        extra: Name of the optional part, a key of `EXTRAS`.
    """

    def __init__(self, feature: str, extra: str):
        needed = ", ".join(EXTRAS[extra])
        super().__init__(
            f"{feature} needs packages that are not all installed ({needed})",
            todo=f"install them with: {how_to_install(extra)}",
        )


# Error numbers of the system when a file cannot grow: the disk is full or read-only.
NO_ROOM = {errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}

PERMISSION = "check your permission to write there, or write to another folder"
ROOM = "free some disk space, or write to another folder"
ADVICE = {
    errno.ENOENT: "make this folder first, or write to another folder",
    errno.ENOTDIR: "write to a folder; a part of this path is a file",
    errno.EACCES: PERMISSION,
    errno.EPERM: PERMISSION,
    errno.EROFS: "write to another folder; this disk is read-only",
    errno.EFBIG: "write to another disk; this one takes no file of this size",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOSPC: ROOM,
    getattr(errno, "EDQUOT", errno.ENOSPC): ROOM,
}


def advice_on_writing(error: OSError) -> str:
    """Return what a user can do after an error of the system in writing, as an imperative."""
    other = "check the folder and the disk, or write to another folder"
    return ADVICE.get(error.errno or 0, other)


DEFECT = "this is a bug in rdmf; run again with RDMF_DEBUG=1 and report the output"


@contextmanager
def errors_of(subject: str | PathLike[str]) -> Iterator[None]:
    """Turn any exception raised in the block into an RdmfError that names the file.

    Args:
        subject: The file that the block works on.

    Raises:
        RdmfError: The block raised an exception.
        KeyboardInterrupt: The block raised an exception because of Ctrl-C.
    """
    try:
        yield
    except Exception as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        named = as_rdmf_error(error, subject)
        raise named from (None if named is error else error)


def as_rdmf_error(error: Exception, subject: str | PathLike[str] | None = None) -> RdmfError:
    """Return an RdmfError for any exception: what happened, to which file, and what to do.

    If neither the file nor the machine is the cause of the exception, the message calls it a bug in
    rdmf.

    Args:
        error: Any exception; an RdmfError is returned unchanged.
        subject: The file that rdmf was working on.
    """
    if isinstance(error, RdmfError):
        return error
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # of torch
        todo = "close other programs, or try a longer --clip-length or --device cpu"
        return RdmfError("not enough memory", subject, todo)
    if _is_of_ffmpeg(error):
        return RdmfError(f"cannot be decoded ({_reason(error)})", subject, "try --decoder ffmpeg")
    if isinstance(error, OSError):
        return _system_error(error, subject)
    return RdmfError(f"unexpected error ({type(error).__name__}: {error})", subject, DEFECT)


def _is_of_ffmpeg(error: Exception) -> bool:
    """Return whether PyAV raised the error. Some PyAV errors are OSErrors, but concern decoding."""
    decoding = sys.modules.get("av.error")  # if PyAV is not imported, PyAV did not raise the error
    return decoding is not None and isinstance(error, decoding.FFmpegError)


def _system_error(error: OSError, subject: str | PathLike[str] | None) -> RdmfError:
    where = subject if error.filename is None else error.filename
    where = where.decode(errors="replace") if isinstance(where, bytes) else where
    if error.errno in NO_ROOM:
        what, todo = "the output cannot be written", advice_on_writing(error)
    else:
        what, todo = "cannot be read or written", "check the file, its permissions and the disk"
    return RdmfError(f"{what} ({_reason(error)})", where, todo)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

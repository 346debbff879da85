"""Check the arguments of callers by the types that the functions declare, and read times."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from inspect import Parameter, signature
from os import PathLike
from types import FunctionType
from typing import Annotated, Any, NamedTuple, TypeVar, cast

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, validate_call

from rdmf_cli.channels.query import Term
from rdmf_cli.errors import UsageError
from rdmf_cli.text import valid_text

FilePath = str | PathLike[str]
Time = float | str | None
"""Seconds, or "m:ss", or "h:mm:ss.s"; None: the start or the end of the video."""

ClipLength = Annotated[float, Field(ge=0.05, le=3600)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Levels = Annotated[float, Field(ge=0, le=255)]


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError("auto, cpu, cuda, cuda:1 or mps")
    return name


def check_device(name: str) -> None:
    """Raise a UsageError if the name of a device is none."""
    try:
        _device(name)
    except ValueError as error:
        raise UsageError(f"must be {error}, not {name!r}", "--device") from None


Device = Annotated[str, AfterValidator(_device)]

LONGEST_TIME = 1e7  # seconds; the largest number in one part of a time

AnyCallable = TypeVar("AnyCallable", bound=Callable[..., Any])
AnyClass = TypeVar("AnyClass", bound=type)


def checked(function: AnyCallable) -> AnyCallable:
    """Check the arguments of a function by its annotations, each time it is called.

    Nothing is converted: "5" is not a number.

    Raises:
        UsageError: An argument has a wrong type or value, or the function has no such argument.
    """
    config = ConfigDict(strict=True, arbitrary_types_allowed=True)
    validated = validate_call(config=config)(_without_result(function))

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        try:
            return validated(*given, **named)
        except ValidationError as error:
            if error.title not in (function.__name__, function.__qualname__):
                raise  # the error comes from the function body, not from the arguments
            raise _wrong_argument(error, function) from None

    return call  # type: ignore[return-value]


def _without_result(function: AnyCallable) -> FunctionType:
    """Copy a function without its result type: a check need not import the result type."""
    given = cast("FunctionType", function)
    copy = FunctionType(
        given.__code__, given.__globals__, given.__name__, given.__defaults__, given.__closure__
    )
    copy.__qualname__, copy.__kwdefaults__ = given.__qualname__, given.__kwdefaults__
    copy.__annotations__ = {k: v for k, v in given.__annotations__.items() if k != "return"}
    copy.__module__ = given.__module__
    return copy


def checked_fields(made: AnyClass) -> AnyClass:
    """Check the arguments of a dataclass in the way that `checked` does."""
    made.__init__ = checked(made.__init__)  # type: ignore[misc]
    return made


def _wrong_argument(error: ValidationError, function: Callable[..., Any]) -> UsageError:
    first = error.errors()[0]
    owner = function.__qualname__.removesuffix(".__init__")
    known, place = signature(function).parameters, first["loc"][0]
    name = place if isinstance(place, str) else [*known, *[""] * (place + 1)][place]
    if first["type"].startswith("unexpected"):
        return UsageError(f"{owner} has no such argument", name, f"see help({owner})")
    if first["type"].startswith("missing"):
        return UsageError(f"{owner} needs this argument", name, "give it")
    optional = name in known and known[name].default is not Parameter.empty
    wanted = "a list of texts" if first["type"] == "sequence_str" else first["msg"]
    for start in ("Input should be ", "Value error, "):
        wanted = wanted.removeprefix(start)
    option = f"--{name.replace('_', '-')}" if optional else name
    return UsageError(f"must be {wanted}, not {first['input']!r}", option)


def seconds(time: Time, option: str) -> float | None:
    """Read a time: a number of seconds, or "90", "1:30", "0:01:30.5".

    Args:
        time: The time; None stays None.
        option: The option of this time, for the message.

    Raises:
        UsageError: The text is not a time, or the time is below 0.
    """
    if time is None:
        return None
    try:
        parts = [float(part) for part in str(time).split(":")]
        if len(parts) > 3 or not all(0 <= part < LONGEST_TIME for part in parts):
            raise ValueError(time)
    except ValueError:
        todo = "write seconds, m:ss or h:mm:ss"
        raise UsageError("is not a time", f"{option} {time!r}", todo) from None
    total = 0.0
    for part in parts:
        total = total * 60 + part
    return total


class Part(NamedTuple):
    """Hold the part of a video that is used, in seconds; None: from its start, to its end."""

    start: float | None
    end: float | None

    @classmethod
    def of(cls, start: Time, end: Time) -> Part:
        """Read the start and the end: seconds, "m:ss" or "h:mm:ss".

        Raises:
            UsageError: A text is not a time, or the end is not after the start.
        """
        first, last = seconds(start, "--start"), seconds(end, "--end")
        if last is not None and last <= (first or 0.0):
            what = f"must be after --start ({first or 0.0:g} s)"
            raise UsageError(what, f"--end ({last:g} s)")
        return cls(first, last)


WHOLE = Part(None, None)
"""The whole video."""


def queries_of(queries: Sequence[str]) -> list[str]:
    """Put every query on one line of valid text.

    Raises:
        UsageError: A query is empty.
    """
    cleaned = [" ".join(valid_text(query).split()) for query in queries]
    if not all(cleaned):
        raise UsageError("the query is empty", todo="describe in words what to look for")
    return cleaned


def mixtures_of(queries: Sequence[str | Sequence[Term]]) -> list[list[Term]]:
    """Return the parts of every query, each with its words on one line of valid text.

    Raises:
        UsageError: A query has no words, or a part of a query has no words.
    """
    return [_parts([Term(query)] if isinstance(query, str) else query) for query in queries]


def _parts(terms: Sequence[Term]) -> list[Term]:
    texts = queries_of([term.text for term in terms] or [""])
    return [replace(term, text=text) for term, text in zip(terms, texts, strict=True)]

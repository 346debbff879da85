"""The settings that the running command uses: an error about such a value names its origin."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

from rdmf_cli.cli.own_settings import Settings
from rdmf_cli.errors import RdmfError


class Used(NamedTuple):
    """A setting that the command uses.

    Attributes:
        option: The long name of the option: "--encoder".
        values: The values, as the user would type them.
        where: "RDMF_ENCODER", or "PATH: [query] encoder".
    """

    option: str
    values: tuple[str, ...]
    where: str


_used: ContextVar[tuple[Used, ...]] = ContextVar("used", default=())


def remember(used: Iterable[Used]) -> None:
    """Keep the settings of the command that runs now."""
    _used.set(tuple(used))


def of_command(
    settings: Settings, words: Sequence[str], command: Any, typed: Sequence[str]
) -> Iterator[Used]:
    """List the settings of a command that the user did not override on the command line.

    Args:
        settings: The user's settings.
        words: The name of the command, or of its group.
        command: The command or group, as click knows it.
        typed: The words after its name.
    """
    inside = getattr(command, "commands", {})
    if inside and typed and typed[0] in inside:
        yield from of_command(settings, (*words, typed[0]), inside[typed[0]], typed[1:])
        return
    for option, setting in {
        o.name: (o, s) for o, s in settings.of_command(words, command)
    }.values():
        if not any(_types(word, option.opts) for word in typed):
            yield Used(option.opts[-1], tuple(setting.texts()), setting.where)


def _types(word: str, names: Sequence[str]) -> bool:
    """Return whether a typed word is an option: --encoder, --encoder=embedded, -k3."""
    long = word.partition("=")[0]
    return any(long == n or (not n.startswith("--") and word.startswith(n)) for n in names)


def with_origin(error: RdmfError) -> RdmfError:
    """Return the error with the names of the settings that it is about, if there are any."""
    origins = [f"{u.option} is set by {u.where}" for u in _used.get() if _is_about(error, u)]
    if not origins:
        return error
    return RdmfError(error.what, error.subject, "; ".join(filter(None, [error.todo, *origins])))


def _is_about(error: RdmfError, used: Used) -> bool:
    subject = error.subject or ""
    if any(subject == value or subject.startswith(value + os.sep) for value in used.values):
        return True
    option = rf"(?<![\w-]){re.escape(used.option)}(?![\w-])"
    return re.search(option, f"{subject} {error.what}") is not None

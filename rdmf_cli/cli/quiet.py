"""What the running command does not say: anything but errors (--quiet), and a hint twice."""

from __future__ import annotations

from contextvars import ContextVar

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
_hinted: ContextVar[frozenset[str]] = ContextVar("hinted", default=frozenset())


def begin(quiet: bool = False) -> None:
    """Begin a command: nothing was said so far."""
    _quiet.set(quiet)
    _hinted.set(frozenset())


def is_quiet() -> bool:
    return _quiet.get()


def first_time(hint: str) -> bool:
    """Whether a hint was not said before by this command; from now on it was."""
    if hint in _hinted.get():
        return False
    _hinted.set(_hinted.get() | {hint})
    return True

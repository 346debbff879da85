"""Decide what the running command prints: only errors with --quiet, and each hint only once."""

from __future__ import annotations

from contextvars import ContextVar

_quiet: ContextVar[bool] = ContextVar("quiet", default=False)
_hinted: ContextVar[frozenset[str]] = ContextVar("hinted", default=frozenset())


def begin(quiet: bool = False) -> None:
    """Begin a command, for which no hint was printed yet."""
    _quiet.set(quiet)
    _hinted.set(frozenset())


def is_quiet() -> bool:
    """Return whether only errors are printed."""
    return _quiet.get()


def first_time(hint: str) -> bool:
    """Return whether this is the first call with this hint in this command."""
    if hint in _hinted.get():
        return False
    _hinted.set(_hinted.get() | {hint})
    return True

"""Ctrl-C, which must not get lost.

Python prints a KeyboardInterrupt that is raised where nothing can catch it (in a `__del__`, in a
callback of the garbage collector) and goes on. So the signal is remembered as well, and long work
asks now and then.
"""

from __future__ import annotations

import signal
from typing import Any

_seen: list[int] = []


def remember_interrupts() -> None:
    """From now on; not where Ctrl-C is ignored, as it is for jobs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def check_interrupted() -> None:
    """KeyboardInterrupt if there was one since."""
    if _seen:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: Any) -> None:
    _seen.append(number)
    raise KeyboardInterrupt

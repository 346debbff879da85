"""Ctrl-C and SIGTERM, which must not get lost, and leaving without delay.

Python prints a KeyboardInterrupt that is raised where nothing can catch it (in a `__del__`, in a
callback of the garbage collector) and goes on. So the signal is remembered as well, and long work
asks now and then.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

_SIGNALLED = 128  # what shells add to the number of the signal that ended a program

_seen: list[int] = []


def remember_interrupts() -> None:
    """Turn SIGINT and SIGTERM into a KeyboardInterrupt from now on.

    Left alone: a signal that is ignored, as Ctrl-C is for jobs in the background, and SIGTERM under
    torchrun, which sends it to processes that wait for one another in native code.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and not torchrun:
        signal.signal(signal.SIGTERM, _interrupt)


def check_interrupted() -> None:
    """KeyboardInterrupt if there was one since."""
    if _seen:
        raise KeyboardInterrupt


def was_interrupted(error: BaseException | None) -> bool:
    """Ctrl-C while a native module is loading reaches us as the cause of an ImportError."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def interrupted_code() -> int:
    """What the process tells the shell: 130 after Ctrl-C, 143 after SIGTERM."""
    return _SIGNALLED + (_seen[0] if _seen else signal.SIGINT)


def leave(code: int) -> NoReturn:
    """Ends the process at once, with the programs it started and its temporary folders.

    On its way out python sometimes ends by the signal, after all was said; and about once in
    twenty times the threads of processes that trained together abort it, after all was written.
    """
    if children := sys.modules.get("rdmf_cli.children"):  # nothing to end where nobody loaded it
        children.end_all()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _interrupt(number: int, frame: Any) -> None:
    _seen.append(number)
    raise KeyboardInterrupt

"""Handle Ctrl-C and SIGTERM so that no interrupt is lost and the process exits without delay.

Python can raise a KeyboardInterrupt where no code can catch it (in a `__del__`, in a callback of
the garbage collector). Then Python prints the exception and continues. So rdmf also records the
signal, and long work calls `check_interrupted` from time to time.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

_SIGNALLED = 128  # shells add this to the number of a signal that ended a program

_seen: list[int] = []


def remember_interrupts() -> None:
    """Install handlers that record SIGINT and SIGTERM and raise a KeyboardInterrupt.

    In two cases the handler is not changed: for a signal that is ignored (Ctrl-C in background
    jobs), and for SIGTERM under torchrun. torchrun sends SIGTERM to processes that wait for each
    other in native code.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and not torchrun:
        signal.signal(signal.SIGTERM, _interrupt)


def check_interrupted() -> None:
    """Raise KeyboardInterrupt if a signal was recorded."""
    if _seen:
        raise KeyboardInterrupt


def was_interrupted(error: BaseException | None) -> bool:
    """Return whether an exception, or a cause of the exception, is a KeyboardInterrupt.

    Ctrl-C during the import of a native module arrives as the cause of an ImportError.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def interrupted_code() -> int:
    """Return the exit code of an interrupted process: 130 after Ctrl-C, 143 after SIGTERM."""
    return _SIGNALLED + (_seen[0] if _seen else signal.SIGINT)


def leave(code: int) -> NoReturn:
    """Exit at once; kill the programs that rdmf started and remove its temporary folders.

    Python's normal exit is not used. Sometimes the signal ends the process during a normal exit.
    And in about one of twenty trainings on several processes, the threads of the processes abort a
    normal exit, although all work is done.
    """
    if children := sys.modules.get("rdmf_cli.children"):  # not imported: no program was started
        children.end_all()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _interrupt(number: int, frame: Any) -> None:
    _seen.append(number)
    raise KeyboardInterrupt

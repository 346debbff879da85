"""The programs and temporary folders that rdmf starts and makes; all are gone when rdmf ends.

Each program or folder belongs to a `with` block, which ends the program or removes the folder. If
the process exits inside such a block (in a daemon thread), `end_all` does the same at exit.
"""

from __future__ import annotations

import atexit
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_running: set[subprocess.Popen[bytes]] = set()
_folders: set[Path] = set()


def find_executable(name: str) -> str | None:
    """Return the absolute path of a program, or None if there is no such program.

    A bare name is looked up in the absolute folders of PATH, never in the working directory.
    Windows (and a PATH with an empty or relative entry) would also look in the working directory,
    but anyone's files may lie there.

    Args:
        name: A path, or a bare name such as "ffmpeg".
    """
    if os.path.dirname(name):
        found = shutil.which(os.path.expanduser(name))
        return found and os.path.abspath(found)
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if not os.path.isabs(folder) or Path(folder) == Path.cwd():
            continue
        for suffix in EXECUTABLE_SUFFIXES:
            if found := shutil.which(os.path.join(folder, name + suffix)):
                return found
    return None


EXECUTABLE_SUFFIXES = ("", ".exe") if sys.platform == "win32" else ("",)


@contextmanager
def child(
    args: Sequence[str | os.PathLike[str]], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program, and kill the program at the end of the block.

    Args:
        args: Absolute path of the program, then its arguments. No shell is involved.
        **options: Options of `subprocess.Popen`.

    Yields:
        The running program.
    """
    process = subprocess.Popen(args, **options)  # noqa: S603  (no shell; paths are absolute)
    _running.add(process)
    try:
        with process:
            try:
                yield process
            finally:
                process.kill()
    finally:
        _running.discard(process)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a temporary folder that only its owner can read; remove it at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="rdmf-"))
    _folders.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _folders.discard(folder)


class Watchdog:
    """Kill a program that makes no progress while rdmf waits for the program.

    >>> with child([program], stdout=PIPE) as process, Watchdog(process, 30.0) as watch:
    ...     with watch.waiting():
    ...         line = process.stdout.readline()

    Args:
        process: The program.
        seconds: The longest wait without progress. Time outside `waiting` does not count.
    """

    def __init__(self, process: subprocess.Popen[bytes], seconds: float):
        self.has_killed = False
        self._process = process
        self._seconds = seconds
        self._deadline = math.inf
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rdmf-watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Run the timer from now to the end of the block."""
        self._deadline = time.monotonic() + self._seconds
        try:
            yield
        finally:
            self._deadline = math.inf

    def progress(self) -> None:
        """Restart the timer, because the program works although it has not sent a result yet."""
        if self._deadline < math.inf:
            self._deadline = time.monotonic() + self._seconds

    def _watch(self) -> None:
        while not self._done.wait(min(self._seconds / 4, LONGEST_NAP_SECONDS)):
            if time.monotonic() > self._deadline:
                self.has_killed = True
                self._process.kill()
                return


LONGEST_NAP_SECONDS = 1.0


def end_all() -> None:
    """Kill every program that still runs, then remove every temporary folder that still exists."""
    for process in list(_running):
        with suppress(OSError):
            process.kill()
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


atexit.register(end_all)

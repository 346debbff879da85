"""Programs that rdmf starts and folders that it needs for a moment: none outlives the process.

Both belong to a `with` block, which ends them. Where a process leaves in the middle of such a block
(in a thread that nobody waits for), `end_all` does it; it is called on the way out in any case.
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
    """The absolute path of a program, by its own path or on the PATH; None where there is none.

    A program in the working directory is never meant, though Windows, and a PATH with an empty or
    relative entry, would run it: the folder may hold anybody's files.
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
    """Start a program and kill it when the block is left.

    args:    an absolute path of the program, and its arguments; no shell reads them
    options: of `subprocess.Popen`
    """
    process = subprocess.Popen(args, **options)  # noqa: S603  (no shell; callers give whole paths)
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
    """Make a new folder that its owner alone can read, and remove it when the block is left."""
    folder = Path(tempfile.mkdtemp(prefix="rdmf-"))
    _folders.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _folders.discard(folder)


class Watchdog:
    """Kills a program that is waited for and makes no progress.

    >>> with child([program], stdout=PIPE) as process, Watchdog(process, 30.0) as watch:
    ...     with watch.waiting():
    ...         line = process.stdout.readline()

    seconds: how long it may go without progress; the time in which nobody waits does not count
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
        """Say that the program is waited for, from now to the end of the block."""
        self._deadline = time.monotonic() + self._seconds
        try:
            yield
        finally:
            self._deadline = math.inf

    def progress(self) -> None:
        """Say that the program is at work, though what is waited for has not come yet."""
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
    """Kill every program that still runs, then remove every folder that is still there."""
    for process in list(_running):
        with suppress(OSError):
            process.kill()
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


atexit.register(end_all)

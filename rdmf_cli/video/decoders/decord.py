"""decord, guarded: unmaintained since 2022, it may be wrong, hang or crash.

It runs in a child process that is killed when it falls silent, and is told which frames to decode
by their numbers in the packet timeline.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Timer
from typing import IO, NamedTuple

import numpy as np

import rdmf_cli
from rdmf_cli.errors import RdmfError

from ..sampling import index_of_frames
from . import Picture, Scan, Tally
from .decord_child import HEADER, NO_FRAME


class Fault(NamedTuple):
    """What decord 0.6.0 is known to get wrong, and how to tell such a file."""

    name: str
    what: str
    afflicts: Callable[[Scan], bool]


KNOWN_FAULTS: tuple[Fault, ...] = ()

SILENCE_SECONDS = 5.0


def available() -> bool:
    """Whether decord is installed; it has no wheels for macOS and ARM."""
    return find_spec("decord") is not None


def known_faults(scan: Scan) -> list[Fault]:
    """The faults that this file would run into."""
    return [fault for fault in KNOWN_FAULTS if fault.afflicts(scan)]


def pictures(scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]:
    """See `Decoder`. Raises RdmfError where decord is missing, refuses the file, or hangs."""
    if not available():
        raise RdmfError(
            "decord is not installed (it has no packages for this system)",
            scan.info.path,
            "use --decoder pyav",
        )
    numbers = index_of_frames(scan.timeline, wanted).tolist()
    with _child(scan.info.path, len(scan.timeline.shown), numbers) as process:
        for pts in wanted.tolist():
            number, image, message = _next_answer(process, scan.info.path)
            if image is not None:
                tally.frames_decoded += 1
                yield Picture(pts, pts, image)
            elif number == NO_FRAME:
                raise _failed(message, scan.info.path)
            else:
                tally.error(f"decord: {message}")


def _failed(what: str, path: Path) -> RdmfError:
    return RdmfError(f"decord fails on it: {what}", path, "use --decoder pyav")


@contextmanager
def _child(path: Path, count: int, numbers: list[int]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that decodes these frames; it is gone when the block is left."""
    root = str(Path(rdmf_cli.__file__).parent.parent)
    module_path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.decord_child", str(path), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": module_path},
    )
    with process:
        try:
            process.stdin.write("".join(f"{n}\n" for n in numbers).encode())  # type: ignore[union-attr]
            process.stdin.close()  # type: ignore[union-attr]
            yield process
        finally:
            process.kill()


class _Answer(NamedTuple):
    number: int
    image: np.ndarray | None
    message: str


def _next_answer(process: subprocess.Popen[bytes], path: Path) -> _Answer:
    """What the child says next. Raises RdmfError where it died or fell silent (then it is killed)."""
    silent = Event()
    watch = Timer(SILENCE_SECONDS, lambda: (silent.set(), process.kill()))
    watch.start()
    try:
        answer = _read_answer(process.stdout)  # type: ignore[arg-type]
    finally:
        watch.cancel()
    if answer is None and silent.is_set():
        raise _failed(f"it gave nothing for {SILENCE_SECONDS:g} s and was stopped", path)
    if answer is None:
        raise _failed(f"it crashed (exit status {process.wait()})", path)
    return answer


def _read_answer(pipe: IO[bytes]) -> _Answer | None:
    """See `decord_child`; None where the child ended."""
    header = pipe.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    number, height, width = HEADER.unpack(header)
    data = pipe.read(height * width * 3 if height else width)
    if not height:
        return _Answer(number, None, data.decode(errors="replace"))
    if len(data) < height * width * 3:
        return None
    return _Answer(number, np.frombuffer(data, np.uint8).reshape(height, width, 3), "")

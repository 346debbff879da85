"""decord, guarded: unmaintained since 2022, it may be wrong, hang or crash.

It is taken only where it is asked for: it holds an FFmpeg of 2020 (4.1.6), to which a video of
unknown origin should not be given. It runs in a child process that is killed when it falls silent,
and is told which frames to decode by their numbers in the packet timeline.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from rdmf_cli.children import Watchdog, child
from rdmf_cli.errors import RdmfError

from ..colours import HLG, PQ
from ..formats import require_single
from ..packets import HIDDEN
from ..sampling import index_of_frames
from ..sizes import is_huge
from . import Picture, Scan, Tally, decord_child
from .decord_child import HEADER, NO_FRAME
from .pipes import read_image

CHILD = decord_child.__file__


class Fault(NamedTuple):
    """A kind of file that decord 0.6.0 gets wrong; `afflicts` tells such files by their packets."""

    name: str
    what: str
    afflicts: Callable[[Scan], bool]


KNOWN_FAULTS = (
    Fault("AV1", "finds no video stream", lambda scan: scan.info.codec in {"av1", "libdav1d"}),
    Fault("GIF", "cannot measure the duration", lambda scan: scan.info.container == "gif"),
    Fault(
        "transport stream",
        "shows other frames than asked for",
        lambda scan: scan.info.container in {"mpegts", "mpeg"},
    ),
    Fault(
        "no presentation times",
        "shows other frames than asked for (AVI with B-frames)",
        lambda scan: scan.timeline.ordered,
    ),
    Fault(
        "open GOP",
        "shows other frames than asked for, a few after each key frame",
        lambda scan: scan.timeline.has_open_gops,
    ),
    Fault(
        "intra refresh",
        "shows other frames than asked for (H.264 whose key frames are none)",
        lambda scan: False,  # no packet tells; PyAV notices when a frame does not come out
    ),
    Fault(
        "edit list",
        "counts frames that are never shown",
        lambda scan: bool(np.any(scan.timeline.flags & HIDDEN)),
    ),
    Fault(
        "turned",
        "leaves turned pictures as they are stored (it turns them in MP4 and MOV alone)",
        lambda scan: bool(scan.info.rotation) and not scan.info.container.startswith("mov,"),
    ),
    Fault(
        "joined recordings",
        "lays them over each other, as their times start anew",
        lambda scan: bool(scan.timeline.joins),
    ),
    Fault(
        "HDR",
        "shows it flat and grey",
        lambda scan: scan.colours.transfer in (PQ, HLG),
    ),
    Fault("mirrored", "ignores the mirroring", lambda scan: scan.orientation.mirrored),
    Fault(
        "oblong pixels",
        "does not make the pixels square",
        lambda scan: scan.picture_size != scan.stored_size,
    ),
)

SILENCE_SECONDS = 30.0


def known_faults(scan: Scan) -> list[Fault]:
    """The faults that this file runs into."""
    return [fault for fault in KNOWN_FAULTS if fault.afflicts(scan)]


def available() -> bool:
    """Whether decord is installed; it has no packages for macOS and ARM."""
    return find_spec("decord") is not None


def require(scan: Scan) -> None:
    """Raises RdmfError where decord is not installed."""
    if not available():
        raise RdmfError(
            "decord, which was asked for, is not installed (it has no packages for some systems)",
            scan.info.path,
            "use --decoder pyav",
        )


def _require_one_stream(scan: Scan) -> None:
    """decord takes a stream by a rule of its own, which may be another than all others watch."""
    if scan.n_streams > 1:
        what = f"decord cannot be told which of its {scan.n_streams} video streams to watch"
        raise RdmfError(what, scan.info.path, "use --decoder pyav")


def pictures(scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]:
    """See `Decoder`. Raises RdmfError where decord is missing, refuses the file, or hangs."""
    require(scan)
    _require_one_stream(scan)
    require_single(scan.info.path, "decord")
    if is_huge(*scan.stored_size):
        raise _failed("its pictures are too large", scan.info.path)
    for fault in known_faults(scan):
        tally.note(f"decord is known to go wrong on such a file: it {fault.what}")
    numbers = index_of_frames(scan.timeline, wanted).tolist()
    with (
        _child(scan.info.path, len(scan.timeline.shown), numbers) as process,
        Watchdog(process, SILENCE_SECONDS) as watch,
    ):
        for pts in wanted.tolist():
            number, image, message = _next_answer(process, watch, scan.info.path)
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
    command = [sys.executable, "-I", CHILD, str(path.absolute()), str(count), *_module_folders()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with child(command, **pipes) as process:
        # Where it ended early, reading its answer will tell.
        with suppress(BrokenPipeError), process.stdin as questions:  # type: ignore[union-attr]
            questions.write("".join(f"{n}\n" for n in numbers).encode())
        yield process


def _module_folders() -> list[str]:
    """Where decord and numpy are, for a child that looks nowhere but in Python's own folders.

    The working directory is left out, though `python -m` looks there too: it may hold anybody's
    files.
    """
    here = Path.cwd()
    path = [entry for entry in sys.path if entry and Path(entry).absolute() != here]
    specs = (PathFinder.find_spec(name, path) for name in ("decord", "numpy"))
    return [_folder_of(Path(spec.origin)) for spec in specs if spec and spec.origin]


def _folder_of(module: Path) -> str:
    """The folder in which Python finds a module: PACKAGE/__init__.py or MODULE.py."""
    return str(module.parents[1] if module.stem == "__init__" else module.parent)


class _Answer(NamedTuple):
    number: int
    image: np.ndarray | None
    message: str


def _next_answer(process: subprocess.Popen[bytes], watch: Watchdog, path: Path) -> _Answer:
    """What the child says next; killed where it says nothing. Raises RdmfError."""
    with watch.waiting():
        answer = _read_answer(process.stdout)  # type: ignore[arg-type]
    if answer is None and watch.has_killed:
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
    if not height:
        return _Answer(number, None, pipe.read(width).decode(errors="replace"))
    image = read_image(pipe, height, width)
    return None if image is None else _Answer(number, image, "")

"""decord, guarded: unmaintained since 2022, it may be wrong, hang or crash.

It runs in a child process that is killed when it falls silent, and is told which frames to decode
by their numbers in the packet timeline.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from threading import Event, Timer
from time import perf_counter
from typing import IO, NamedTuple

import numpy as np

import rdmf_cli
from rdmf_cli.errors import RdmfError

from ..packets import HIDDEN
from ..sampling import index_of_frames, wanted_frames
from ..timeline import ClipGrid
from . import DECODERS, Picture, Scan, Tally
from .decord_child import HEADER, NO_FRAME
from .pipes import read_image


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


# What "auto" asks before it takes decord: codecs in which it may be quicker, a video long enough
# for the trial not to matter, and in the trial the same pixels in clearly less time.
MAYBE_QUICKER = {"vp8", "vp9", "libvpx", "libvpx-vp9"}
LONG_SECONDS = 600.0
TRIAL_CLIPS, TRIAL_CLIP_SECONDS = 8, 2.0
CLEARLY_LESS = 0.8


def wins(scan: Scan) -> bool:
    """Whether decord is found exact and quicker than PyAV on a stretch of this very file."""
    fit = scan.info.codec in MAYBE_QUICKER and scan.info.duration >= LONG_SECONDS
    if not (fit and available()) or known_faults(scan):
        return False
    try:
        ours, our_seconds = _timed("pyav", scan)
        theirs, their_seconds = _timed("decord", scan)
    except RdmfError:
        return False
    return _same(ours, theirs) and their_seconds < CLEARLY_LESS * our_seconds


def _timed(name: str, scan: Scan) -> tuple[list[Picture], float]:
    """Pictures from the middle of the file, and the seconds from the first of them to the last."""
    grid = ClipGrid(scan.info.duration, TRIAL_CLIP_SECONDS)
    part = replace(grid, first=grid.count // 2, last=grid.count // 2 + TRIAL_CLIPS)
    wanted = np.unique(wanted_frames(scan.timeline.shown, scan.timeline.time_base, part))
    with closing(DECODERS[name](scan, wanted, Tally())) as pictures:  # type: ignore[type-var]
        first = list(islice(pictures, 1))
        begun = perf_counter()
        rest = list(pictures)
        return first + rest, perf_counter() - begun


def _same(ours: list[Picture], theirs: list[Picture]) -> bool:
    return len(ours) == len(theirs) and all(
        a.pts == b.pts and np.array_equal(a.image, b.image)
        for a, b in zip(ours, theirs, strict=True)
    )


def pictures(scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]:
    """See `Decoder`. Raises RdmfError where decord is missing, refuses the file, or hangs."""
    require(scan)
    for fault in known_faults(scan):
        tally.note(f"decord is known to go wrong on such a file: it {fault.what}")
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
            with process.stdin as questions:  # type: ignore[union-attr]
                questions.write("".join(f"{n}\n" for n in numbers).encode())
            yield process
        finally:
            process.kill()


class _Answer(NamedTuple):
    number: int
    image: np.ndarray | None
    message: str


def _next_answer(process: subprocess.Popen[bytes], path: Path) -> _Answer:
    """What the child says next; killed where it says nothing. Raises RdmfError."""
    silent = Event()

    def give_up() -> None:
        silent.set()
        process.kill()

    watch = Timer(SILENCE_SECONDS, give_up)
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
    if not height:
        return _Answer(number, None, pipe.read(width).decode(errors="replace"))
    image = read_image(pipe, height, width)
    return None if image is None else _Answer(number, image, "")

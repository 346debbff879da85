"""The decoder decord, in a guarded child process: decord may be wrong, hang or crash.

decord is unmaintained since 2022 and contains an FFmpeg of 2020 (4.1.6), which should not read
videos of unknown origin. So decord runs only on request (`--decoder decord`). The child process
gets the numbers of the frames to decode, and is killed if it makes no progress.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from rdmf_cli.children import Watchdog, child
from rdmf_cli.errors import RdmfError
from rdmf_cli.video.colours import HLG, PQ
from rdmf_cli.video.decoders import decord_child, pyav
from rdmf_cli.video.decoders.base import Picture, Scan, Tally
from rdmf_cli.video.decoders.decord_child import HEADER, NO_FRAME
from rdmf_cli.video.decoders.pipes import read_image
from rdmf_cli.video.formats import require_single
from rdmf_cli.video.packets import HIDDEN
from rdmf_cli.video.sampling import index_of_frames
from rdmf_cli.video.sizes import is_huge

CHILD = decord_child.__file__


class Fault(NamedTuple):
    """A kind of file that decord 0.6.0 decodes wrongly.

    Attributes:
        name: The kind, in two or three words.
        what: What decord does wrong, as the end of a sentence that begins with "decord".
        afflicts: A function that takes a scan and returns whether the file is of this kind.
    """

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
        "shows other frames than asked for (H.264 without true key frames)",
        lambda scan: False,  # the packets do not show it; PyAV notices when frames are missing
    ),
    Fault(
        "edit list",
        "counts frames that are never shown",
        lambda scan: bool(np.any(scan.timeline.flags & HIDDEN)),
    ),
    Fault(
        "turned",
        "does not turn rotated pictures upright (it does so in MP4 and MOV only)",
        lambda scan: bool(scan.info.rotation) and not scan.info.container.startswith("mov,"),
    ),
    Fault(
        "joined recordings",
        "mixes them up, as their time stamps restart",
        lambda scan: bool(scan.timeline.joins),
    ),
    Fault(
        "HDR",
        "shows HDR flat and grey",
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
    """Return the known faults that apply to a file."""
    return [fault for fault in KNOWN_FAULTS if fault.afflicts(scan)]


def available() -> bool:
    """Return whether decord is installed; it has no packages for macOS and ARM."""
    return find_spec("decord") is not None


def installed() -> str:
    """Return the version of decord.

    Raises:
        RdmfError: decord is not installed, or decord2 is installed, which has the same module name.
    """
    what = None
    if not available():
        what = "decord is not installed (some systems have no package)"
    elif _has_decord2():
        what = "decord2 is installed in place of decord, and returns other frames than asked for"
    if what:
        raise RdmfError(what, "--decoder decord", "use --decoder pyav")
    return version("decord")


def _has_decord2() -> bool:
    try:
        return bool(version("decord2"))
    except PackageNotFoundError:
        return False


def scan(path: Path) -> Scan:
    """Scan a file with PyAV, because decord reports less; see `base.Decoder`."""
    return pyav.scan(path)


def _require_one_stream(scan: Scan) -> None:
    """Raise RdmfError for several streams: decord may choose another stream than other decoders."""
    if scan.n_streams > 1:
        what = f"decord cannot choose the right one of its {scan.n_streams} video streams"
        raise RdmfError(what, scan.info.path, "use --decoder pyav")


def pictures(scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]:
    """Decode frames; see `Decoder`.

    Args:
        scan: The scanned file.
        wanted: Presentation times in `scan.timeline.shown`, ascending, int64 (F,).
        tally: Counts frames and errors.

    Raises:
        RdmfError: decord is not installed, cannot read the file, crashes or hangs.
    """
    installed()
    _require_one_stream(scan)
    require_single(scan.info.path, "decord")
    if is_huge(*scan.stored_size):
        raise _failed("its pictures are too large", scan.info.path)
    for fault in known_faults(scan):
        tally.note(f"decord is known to fail on such a file: it {fault.what}")
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
    return RdmfError(f"decord failed: {what}", path, "use --decoder pyav")


@contextmanager
def _child(path: Path, count: int, numbers: list[int]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that decodes some frames; kill the process at the end of the block."""
    command = [sys.executable, "-I", CHILD, str(path.absolute()), str(count), *_module_folders()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with child(command, **pipes) as process:
        # If the process ended early, the reading of its answer reports this.
        with suppress(BrokenPipeError), process.stdin as questions:  # type: ignore[union-attr]
            questions.write("".join(f"{n}\n" for n in numbers).encode())
        yield process


def _module_folders() -> list[str]:
    """Return the folders of decord and numpy, for a child that imports from no other folders.

    `python -m` also imports from the working directory; the child does not, because the working
    directory may contain files of unknown origin.
    """
    here = Path.cwd()
    path = [entry for entry in sys.path if entry and Path(entry).absolute() != here]
    specs = (PathFinder.find_spec(name, path) for name in ("decord", "numpy"))
    return [_folder_of(Path(spec.origin)) for spec in specs if spec and spec.origin]


def _folder_of(module: Path) -> str:
    """Return the folder where Python finds a module: PACKAGE/__init__.py or MODULE.py."""
    return str(module.parents[1] if module.stem == "__init__" else module.parent)


class _Answer(NamedTuple):
    number: int
    image: np.ndarray | None
    message: str


def _next_answer(process: subprocess.Popen[bytes], watch: Watchdog, path: Path) -> _Answer:
    """Read the child's next answer; if there is none, kill the child and raise RdmfError."""
    with watch.waiting():
        answer = _read_answer(process.stdout)  # type: ignore[arg-type]
    if answer is None and watch.has_killed:
        raise _failed(f"it returned nothing for {SILENCE_SECONDS:g} s and was stopped", path)
    if answer is None:
        raise _failed(f"it crashed (exit status {process.wait()})", path)
    return answer


def _read_answer(pipe: IO[bytes]) -> _Answer | None:
    """Read one answer in the format of `decord_child`; None: the child ended."""
    header = pipe.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    number, height, width = HEADER.unpack(header)
    if not height:
        return _Answer(number, None, pipe.read(width).decode(errors="replace"))
    image = read_image(pipe, height, width)
    return None if image is None else _Answer(number, image, "")

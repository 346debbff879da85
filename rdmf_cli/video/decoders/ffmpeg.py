"""The ffmpeg program, for files that PyAV cannot open: packets and frames over pipes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from io import BytesIO
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, NamedTuple

import numpy as np

from rdmf_cli.errors import RdmfError

from ..info import Claims, VideoInfo, average_rate, header_warnings
from ..orientation import Orientation
from ..packets import HIDDEN, KEY, Timeline, timeline_of
from ..sampling import index_of_frames
from ..timeline import Timestamp
from . import Picture, Scan, Tally
from .pipes import read_image

INSTALL_LINES = {
    "linux": "sudo apt install ffmpeg",
    "darwin": "brew install ffmpeg",
    "win32": "winget install ffmpeg",
}


class Program(NamedTuple):
    """The program at hand; `version` decides how some options are written."""

    path: str
    version: tuple[int, int]

    def filter_from(self, file: str) -> dict[str, str]:
        """The option that reads the filter from a file (ffmpeg 7 renamed it)."""
        return {"/filter:v" if self.version >= (7, 0) else "filter_script:v": file}

    def every_frame(self) -> dict[str, str]:
        """The option that keeps frames as they come, none repeated or dropped (renamed in 5.1)."""
        return {"fps_mode" if self.version >= (5, 1) else "vsync": "passthrough"}


def find_program() -> Program:
    """RDMF_FFMPEG, else `ffmpeg` on the PATH. Raises RdmfError with the line that installs it."""
    named = os.environ.get("RDMF_FFMPEG")
    path = shutil.which(named or "ffmpeg")
    if path is None and named:
        raise RdmfError("RDMF_FFMPEG does not name a program that runs", named, "correct it")
    if path is None:
        line = INSTALL_LINES.get(sys.platform, INSTALL_LINES["linux"])
        raise RdmfError(
            "the ffmpeg program is not installed",
            todo=f"install it with: {line} (or set RDMF_FFMPEG to where it is)",
        )
    return Program(path, _version(path))


@cache
def _version(path: str) -> tuple[int, int]:
    """(major, minor); a build from the development branch counts as newest."""
    try:
        text = subprocess.run([path, "-version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        todo = "install another, or decode with --decoder pyav"
        raise RdmfError(f"this ffmpeg program does not run ({error})", path, todo) from error
    found = re.match(r"ffmpeg version n?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (99, 0)


def scan(path: Path) -> Scan:
    """What `pyav.scan` finds out, by the program. Raises RdmfError."""
    program = find_program()
    listing, log = _run(_packet_listing(path), program)
    timeline = parse_packet_listing(listing, ordered="Input #0, avi" in log)
    if not len(timeline.shown):
        raise RdmfError(
            f"ffmpeg finds no video in it ({_last_error(log)})", path, "name a video file"
        )
    picture, log = _run(_first_picture(path, program), program)
    if not picture:
        what = f"ffmpeg cannot decode its video ({_last_error(log)})"
        raise RdmfError(what, path, "try --decoder pyav, or convert the file")
    height, width = _read_ppm(BytesIO(picture)).shape[:2]  # type: ignore[union-attr]
    size = width, height
    return Scan("ffmpeg", _info(path, timeline, log, *size), timeline, Orientation(), size, size)


def _info(path: Path, timeline: Timeline, log: str, width: int, height: int) -> VideoInfo:
    turned = re.search(r"(?i)display ?matrix: rotation of (-?\d+)", log)
    return VideoInfo(
        path=path,
        duration=timeline.seconds,
        width=width,
        height=height,
        rotation=-int(turned[1]) % 360 if turned else 0,
        frame_rate=average_rate(timeline),
        codec=_in(log, r"Video: (\w+)"),
        container=_in(log, r"Input #0, (\S+), from"),
        start=Timestamp(timeline.start, timeline.time_base),
        n_packets=len(timeline),
        n_frames=len(timeline.shown),
        has_audio="Audio:" in log,
        warnings=header_warnings(_claims(log), timeline),
    )


def _in(log: str, pattern: str) -> str:
    found = re.search(pattern, log)
    return found[1] if found else "unknown"


def _claims(log: str) -> Claims:
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", log)
    whole = None
    if found:
        whole = float(found[1]) * 3600 + float(found[2]) * 60 + float(found[3])
    return Claims(whole, None, alone="Audio:" not in log)


def _input(path: Path, **options: Any) -> Any:
    import ffmpeg

    return ffmpeg.input(f"file:{path}", **options)


QUIET = ("-nostdin", "-nostats", "-hide_banner")


def _packet_listing(path: Path) -> Any:
    """Every packet of the first real video stream, one a line, nothing decoded."""
    return _input(path).output(
        "pipe:", map="0:V:0", c="copy", f="framecrc", copyinkf=None, copyts=None
    )


# A pixel that is not square is drawn out to a square, never pressed together.
SQUARE_PIXELS = "scale=w='round(iw*max(sar,1))':h='round(ih*max(1/sar,1))':flags=bicubic,setsar=1"


def _first_picture(path: Path, program: Program) -> Any:
    return _input(path).output(
        "pipe:",
        map="0:V:0",
        vf=SQUARE_PIXELS,
        f="image2pipe",
        vcodec="ppm",
        pix_fmt="rgb24",
        vframes=1,
    )


def _run(job: Any, program: Program) -> tuple[bytes, str]:
    """(stdout, stderr) of a job, whether or not it succeeded."""
    args = job.global_args(*QUIET).compile(cmd=program.path)
    done = subprocess.run(args, capture_output=True, check=False)
    return done.stdout, done.stderr.decode(errors="replace")


def _last_error(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it says nothing"


def parse_packet_listing(listing: bytes, ordered: bool) -> Timeline:
    """The output of FFmpeg's `framecrc` muxer: stream, dts, pts, duration, size, checksum, flags.

    The flags are AV_PKT_FLAG_*, in hexadecimal; the muxer leaves them out for plain key frames.
    """
    rows: list[tuple[int, int, int, int]] = []
    time_base = Fraction(1)
    for line in listing.decode(errors="replace").splitlines():
        if line.startswith("#tb 0:"):
            time_base = Fraction(line.split()[-1])
        elif not line.startswith("#"):
            cells = [cell.strip() for cell in line.split(",")]
            bits = next((int(c[2:], 16) for c in cells[6:] if c.startswith("F=")), 1)
            mark = KEY * (bits & 1) | HIDDEN * (bits >> 2 & 1)
            rows.append((int(cells[2]), int(cells[1]), mark, int(cells[3])))
    pts, dts, flags, durations = np.array(rows, np.int64).reshape(-1, 4).T
    last_duration = int(durations[np.argmax(pts)]) if len(rows) else 0
    return timeline_of(
        pts,
        dts,
        flags.astype(np.uint8),
        time_base=time_base,
        ordered=ordered,
        last_duration=last_duration,
    )


def pictures(scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]:
    """See `Decoder`. One run of the program; frames are selected in it, by their times."""
    program = find_program()
    with tempfile.TemporaryDirectory(prefix="rdmf-") as folder:
        graph = Path(folder) / "filter"
        graph.write_text(_graph(scan, wanted))
        job = _input(scan.info.path, copyts=None).output(
            "pipe:",
            map="0:V:0",
            f="image2pipe",
            vcodec="ppm",
            pix_fmt="rgb24",
            **program.filter_from(str(graph)),
            **program.every_frame(),
        )
        args = job.global_args(*QUIET, "-loglevel", "level+info").compile(cmd=program.path)
        log = _Log(tally)
        with _started(args, log.follow) as output:
            yield from _selected(scan, wanted, output, log)


def _graph(scan: Scan, wanted: np.ndarray) -> str:
    """Select the wanted frames, print their times, make their pixels square."""
    timeline = scan.timeline
    if timeline.ordered:
        name, values = "n", index_of_frames(timeline, wanted)
    else:
        name, values = "pts", wanted
    chosen = is_one_of(name, values.tolist())
    tick = f"{timeline.time_base.numerator}/{timeline.time_base.denominator}"
    return f"settb={tick},select='{chosen}',showinfo=checksum=0,{SQUARE_PIXELS}"


def is_one_of(name: str, values: list[int]) -> str:
    """An FFmpeg expression, true where `name` is one of the ascending values: a search tree."""
    if len(values) == 1:
        return f"eq({name},{values[0]})"
    half = len(values) // 2
    below, above = is_one_of(name, values[:half]), is_one_of(name, values[half:])
    return f"if(lt({name},{values[half]}),{below},{above})"


@contextmanager
def _started(args: list[str], follow_log: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    """The standard output of a program, which is gone when the block is left."""
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        log = Thread(target=follow_log, args=(process.stderr,), daemon=True)
        log.start()
        try:
            yield process.stdout  # type: ignore[misc]
        finally:
            process.kill()
            log.join()


SHOWN = re.compile(rb"showinfo.*\bn: *(\d+) +pts: *(-?\d+)")
LOG_LAGS_SECONDS = 10.0


class _Log:
    """What the program says of itself: the time of each frame it gives, and errors."""

    def __init__(self, tally: Tally):
        self.tally = tally
        self.times: SimpleQueue[int] = SimpleQueue()

    def follow(self, lines: IO[bytes]) -> None:
        for line in lines:
            if found := SHOWN.search(line):
                self.times.put(int(found[2]))
            elif b"[error]" in line or b"[fatal]" in line:
                self.tally.error(line.decode(errors="replace").strip())


def _selected(scan: Scan, wanted: np.ndarray, output: IO[bytes], log: _Log) -> Iterator[Picture]:
    """Pictures from the program's output, their times from its log."""
    in_order = iter(wanted.tolist())
    while (image := _read_ppm(output)) is not None:
        try:
            pts = log.times.get(timeout=LOG_LAGS_SECONDS)
        except Empty:
            what = "ffmpeg does not say which frames it gives"
            raise RdmfError(what, scan.info.path, "decode with --decoder pyav") from None
        if scan.timeline.ordered:
            pts = next(in_order)
        log.tally.frames_decoded += 1
        yield Picture(pts, pts, image)


def _read_ppm(pipe: IO[bytes]) -> np.ndarray | None:
    """The next binary PPM picture (P6, width, height, 255, pixels); None at the end."""
    if pipe.readline().strip() != b"P6":
        return None
    width, height = map(int, pipe.readline().split())
    pipe.readline()
    return read_image(pipe, height, width)

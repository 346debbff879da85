"""The decoder ffmpeg runs the ffmpeg program over pipes, for files that PyAV cannot open."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import cache
from io import BufferedReader, FileIO, RawIOBase
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np
from av.video.format import VideoFormat

from rdmf_cli.children import Watchdog, child, find_executable, scratch_folder
from rdmf_cli.errors import RdmfError
from rdmf_cli.video.colours import (
    HLG,
    MATRIX_NAMES,
    NEAREST,
    PQ,
    TO_SDR,
    matrix_taken,
    matrix_warnings,
)
from rdmf_cli.video.decoders import pyav
from rdmf_cli.video.decoders.base import Colours, Picture, Scan, Tally
from rdmf_cli.video.decoders.pipes import read_image
from rdmf_cli.video.encryption import EncryptedVideoError
from rdmf_cli.video.formats import options as held_to
from rdmf_cli.video.formats import require_single
from rdmf_cli.video.info import Claims, VideoInfo, average_rate, clock_of, header_warnings
from rdmf_cli.video.orientation import MOST_OBLONG, Orientation
from rdmf_cli.video.packets import HIDDEN, KEY, PacketTable, Timeline, timeline_of
from rdmf_cli.video.recording import recorded_in
from rdmf_cli.video.sampling import index_of_frames
from rdmf_cli.video.sizes import (
    MOST_BYTES_AT_ONCE,
    MOST_PIXELS,
    MOST_SIDE,
    PROBED_PIXELS,
    DecodeLimits,
    LargePictureError,
    decode_limits,
)
from rdmf_cli.video.timeline import Timestamp

INSTALL_LINES = {
    "linux": "sudo apt install ffmpeg",
    "darwin": "brew install ffmpeg",
    "win32": "winget install ffmpeg",
}


class Program(NamedTuple):
    """The ffmpeg program that is installed.

    Attributes:
        path: The absolute path of the program.
        version: (major, minor). The names of some options and the filters depend on the version.
    """

    path: str
    version: tuple[int, int]

    def filter_from(self, file: str) -> dict[str, str]:
        """Return the option that reads the filter from a file (renamed in version 7)."""
        return {"/filter:v" if self.version >= (7, 0) else "filter_script:v": file}

    def every_frame(self) -> dict[str, str]:
        """Return the option that neither repeats nor drops frames (renamed in version 5.1)."""
        return {"fps_mode" if self.version >= (5, 1) else "vsync": "passthrough"}


def find_program() -> Program:
    """Find the program: RDMF_FFMPEG if it is set, else `ffmpeg` on the PATH.

    Raises:
        RdmfError: The program is not installed.
    """
    named = os.environ.get("RDMF_FFMPEG")
    path = find_executable(named or "ffmpeg")
    if path is None and named:
        what = "is not a program that can be run (set by RDMF_FFMPEG)"
        raise RdmfError(what, named, "correct RDMF_FFMPEG")
    if path is None:
        line = INSTALL_LINES.get(sys.platform, INSTALL_LINES["linux"])
        raise RdmfError(
            "the ffmpeg program is not installed",
            todo=f"install it with: {line} (or set RDMF_FFMPEG to its path)",
        )
    return Program(path, _version(path))


def installed() -> str:
    """Return the path of the program.

    Raises:
        RdmfError: The program is not installed.
    """
    return str(find_program().path)


VERSION_SECONDS = 30.0


@cache
def _version(path: str) -> tuple[int, int]:
    """Return (major, minor); (99, 0) for a build from the development branch."""
    try:
        args = [path, "-version"]
        done = subprocess.run(  # noqa: S603  (no shell; an absolute path, chosen by the user)
            args, capture_output=True, check=True, timeout=VERSION_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        todo = "install another one, or use --decoder pyav"
        raise RdmfError(f"this ffmpeg program cannot be run ({error})", path, todo) from error
    found = re.match(rb"ffmpeg version n?(\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (99, 0)


def scan(path: Path) -> Scan:
    """Scan a file with PyAV (as for other decoders); if PyAV fails, scan it with the program.

    Raises:
        RdmfError: The file cannot be read as a video, or the program is not installed.
    """
    find_program()
    try:
        return replace(pyav.scan(path), by="ffmpeg")
    except (EncryptedVideoError, LargePictureError):
        raise
    except RdmfError:
        return scan_alone(path)


def scan_alone(path: Path) -> Scan:
    """Scan a file only with the program, without PyAV.

    Raises:
        RdmfError: The file cannot be read as a video, or the program is not installed.
    """
    program = find_program()
    _, log = _run(_input(path).output("-", f="null", t=0), program, path, _ignored)
    streams = list_streams(log)
    stream = max(streams, key=lambda s: (s.default, s.area)) if streams else _Stream(0)
    listing, _ = _run(_packet_listing(path, stream.number), program, path, read_packet_listing)
    timeline = listing.timeline(ordered="Input #0, avi" in log)
    if not len(timeline.shown):
        raise RdmfError(
            f"ffmpeg finds no video in this file ({_last_error(log)})", path, "name a video file"
        )
    held = _limits(path, stream.text)
    first = _first_picture(path, stream, held, program)
    picture, picture_log = _run(first, program, path, _read_ppm)
    if picture is None:
        what = f"ffmpeg cannot decode its video ({_last_error(picture_log)})"
        raise RdmfError(what, path, "try --decoder pyav, or convert the file")
    height, width = picture.shape[:2]
    size = width, height
    info = _info(path, timeline, stream, log, *size)
    found = stream.number, len(streams), stream.colours
    return Scan("ffmpeg", info, timeline, Orientation(), size, size, held, *found)


class _Stream(NamedTuple):
    """A video stream, from the description in the program's log."""

    number: int
    text: str = ""
    default: bool = False
    area: int = 0
    colours: Colours = Colours()


TAG_LINE = re.compile(r"(?m)^ +([\w.]+) *: (\d{4}-.*)$")
STREAM_LINE = re.compile(r"Stream #0:(\d+)\b.*?: (Video: .*)")
COLOURS = re.compile(r"([\w-]+)/([\w-]+)/([\w-]+)[,)]")
MATRICES = {name: number for number, (name, _) in NEAREST.items()}
TRANSFERS = {"smpte2084": PQ, "arib-std-b67": HLG}


def list_streams(log: str) -> list[_Stream]:
    """Return the video streams in the program's log, without cover art."""
    head = log.partition("Output #0")[0]
    found = [(int(m[1]), m[2]) for m in STREAM_LINE.finditer(head) if "(attached pic)" not in m[2]]
    return [
        _Stream(number, text, "(default)" in text, _area(text), _colours(text))
        for number, text in found
    ]


def _area(text: str) -> int:
    size = re.search(r", (\d+)x(\d+)", text)
    return int(size[1]) * int(size[2]) if size else 0


def _colours(text: str) -> Colours:
    """Return the colours that the log names, if their conversion differs from the default."""
    found = COLOURS.search(text)
    if found is None:
        return Colours()
    return Colours(MATRICES.get(found[1], 2), 2, TRANSFERS.get(found[3], 2))


def _ignored(output: IO[bytes]) -> None:
    output.read()


def _info(
    path: Path, timeline: Timeline, stream: _Stream, log: str, width: int, height: int
) -> VideoInfo:
    turned = re.search(r"(?i)display ?matrix: rotation of (-?\d+)", log)
    return VideoInfo(
        path=path,
        duration=timeline.seconds,
        width=width,
        height=height,
        rotation=-int(turned[1]) % 360 if turned else 0,
        frame_rate=average_rate(timeline),
        codec=_in(stream.text, r"Video: (\w+)"),
        container=_in(log, r"Input #0, (\S+), from"),
        start=Timestamp(timeline.start, timeline.time_base),
        n_packets=len(timeline),
        n_frames=len(timeline.shown),
        has_audio="Audio:" in log,
        recorded=recorded_in(_tags(log)),
        clock=clock_of(_start(log), _claims(log).whole, timeline),
        warnings=(
            *header_warnings(_claims(log), timeline),
            *matrix_warnings(stream.colours.matrix),
        ),
    )


def _tags(log: str) -> dict[str, str]:
    """Return the dates among the tags in the program's log; the container's come first."""
    return dict(reversed(TAG_LINE.findall(log.partition("Output #0")[0])))


def _in(log: str, pattern: str) -> str:
    found = re.search(pattern, log)
    return found[1] if found else "unknown"


def _claims(log: str) -> Claims:
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", log)
    whole = None
    if found:
        whole = float(found[1]) * 3600 + float(found[2]) * 60 + float(found[3])
    return Claims(whole, None, alone="Audio:" not in log)


def _start(log: str) -> float | None:
    found = re.search(r"Duration: .*?, start: (-?[\d.]+)", log)
    return float(found[1]) if found else None


def _input(path: Path, **options: Any) -> Any:
    import ffmpeg

    require_single(path, "the ffmpeg program")
    options = {"max_pixels": PROBED_PIXELS, **options}
    return ffmpeg.input(f"file:{path}", **held_to(path), **options)


QUIET = ("-nostdin", "-nostats", "-hide_banner", "-max_alloc", str(MOST_BYTES_AT_ONCE))


def _packet_listing(path: Path, stream: int) -> Any:
    """Return the job that lists every packet of a stream, one per line, without decoding."""
    return _input(path).output(
        "pipe:", map=f"0:{stream}", c="copy", f="framecrc", copyinkf=None, copyts=None
    )


# The formula of `sizes.displayed_size` as an expression of FFmpeg's `scale` filter.
SHAPE = f"if(between(sar,1/{MOST_OBLONG},{MOST_OBLONG}),sar,1)"
WIDE, HIGH = f"(iw*max({SHAPE},1))", f"(ih*max(1/{SHAPE},1))"
SHRINK = f"min(1,min(sqrt({MOST_PIXELS}/{WIDE}/{HIGH}),{MOST_SIDE}/max({WIDE},{HIGH})))"
SIZE = f"w='max(1,round({WIDE}*{SHRINK}))':h='max(1,round({HIGH}*{SHRINK}))'"


def _to_rgb(colours: Colours, program: Program) -> str:
    """Return the filter that gives square pixels and the colours of an ordinary screen."""
    chain = f"scale={SIZE}:flags=bicubic{_hdr_options(colours, program)},setsar=1"
    matrix = matrix_taken(colours.matrix, colours.primaries)
    if matrix != colours.matrix:
        chain = f"setparams=colorspace={MATRIX_NAMES[matrix]},{chain}"
    return chain


def _hdr_options(colours: Colours, program: Program) -> str:
    is_hdr = colours.transfer in (PQ, HLG)
    return f":{TO_SDR}" if is_hdr and program.version >= (8, 0) else ""


VIDEO_LINE = re.compile(r"Video: (?P<codec>\w+).*?(?:, (?P<format>\w+).*?)?, (?P<size>\d+x\d+)")


def _limits(path: Path, log: str) -> DecodeLimits:
    """Return the decoder's limits, from the log's line on the video.

    Raises:
        LargePictureError: The pictures are too large.
    """
    found = VIDEO_LINE.search(log)
    if found is None:
        return decode_limits(path, "", 0, 0, 0)
    width, height = map(int, found["size"].split("x"))
    return decode_limits(path, found["codec"], _bits(found["format"]), width, height)


def _bits(pixel_format: str | None) -> int:
    try:
        return VideoFormat(pixel_format).padded_bits_per_pixel if pixel_format else 0
    except ValueError:  # a format that only the program knows
        return 0


def _bounds(held: DecodeLimits) -> dict[str, int]:
    """Return the limits as options of the program."""
    return {"threads": held.threads, "max_pixels": held.most_pixels}


def _first_picture(path: Path, stream: _Stream, held: DecodeLimits, program: Program) -> Any:
    return _input(path, **_bounds(held)).output(
        "pipe:",
        map=f"0:{stream.number}",
        vf=_to_rgb(stream.colours, program),
        f="image2pipe",
        vcodec="ppm",
        pix_fmt="rgb24",
        vframes=1,
    )


Found = TypeVar("Found")


def _run(
    job: Any, program: Program, path: Path, read: Callable[[IO[bytes]], Found]
) -> tuple[Found, str]:
    """Run a job; return the result of `read` on its output, and its log, even after a failure."""
    args = job.global_args(*QUIET).compile(cmd=program.path)
    log = _Text()
    with _started(args, path, log.follow) as output:
        found = read(output)
    return found, log.text


class _Text:
    """Keep the first and the last lines of a log, and drop the middle of a long log."""

    KEPT_LINES = 500

    def __init__(self) -> None:
        self._begin: list[bytes] = []
        self._end: deque[bytes] = deque(maxlen=self.KEPT_LINES)

    def follow(self, line: bytes) -> None:
        (self._begin if len(self._begin) < self.KEPT_LINES else self._end).append(line)

    @property
    def text(self) -> str:
        return b"".join((*self._begin, *self._end)).decode(errors="replace")


def _last_error(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


class PacketListing:
    """The packets of a stream, read line by line; each packet takes 25 bytes of memory."""

    def __init__(self) -> None:
        self.time_base = Fraction(1)
        self.pts, self.dts, self.durations = array("q"), array("q"), array("q")
        self.flags = array("B")

    def add(self, line: bytes) -> None:
        """Add the packet of one line of FFmpeg's `framecrc` muxer.

        The columns are stream, dts, pts, duration, size, checksum, flags. The flags are
        AV_PKT_FLAG_* in hexadecimal; the muxer leaves the flags out for plain key frames.
        """
        if line.startswith(b"#tb 0:"):
            self.time_base = Fraction(line.split()[-1].decode())
        elif not line.startswith(b"#"):
            cells = [cell.strip() for cell in line.split(b",")]
            bits = next((int(c[2:], 16) for c in cells[6:] if c.startswith(b"F=")), 1)
            self.dts.append(int(cells[1]))
            self.pts.append(int(cells[2]))
            self.durations.append(int(cells[3]))
            self.flags.append(KEY * (bits & 1) | HIDDEN * (bits >> 2 & 1))

    def timeline(self, ordered: bool) -> Timeline:
        """Return the timeline of these packets.

        Args:
            ordered: See `Timeline`.
        """
        columns = (self.pts, self.dts, self.flags, self.durations)
        table = PacketTable(*(np.asarray(column) for column in columns))
        return timeline_of(table, self.time_base, ordered=ordered)


def read_packet_listing(lines: Iterable[bytes]) -> PacketListing:
    """Read the packets from lines of FFmpeg's `framecrc` muxer."""
    listing = PacketListing()
    for line in lines:
        listing.add(line)
    return listing


def pictures(scan: Scan, wanted: np.ndarray, tally: Tally) -> Iterator[Picture]:
    """Decode frames; see `Decoder`. One run of the program selects all frames by their times.

    Args:
        scan: The scanned file.
        wanted: Presentation times in `scan.timeline.shown`, ascending, int64 (F,).
        tally: Counts frames and errors.
    """
    program = find_program()
    if scan.colours.transfer in (PQ, HLG) and not _hdr_options(scan.colours, program):
        tally.note("ffmpeg before version 8 shows HDR flat and grey; use --decoder pyav")
    with scratch_folder() as folder:
        graph = folder / "filter"
        graph.write_text(_graph(scan, wanted, program))
        job = _input(scan.info.path, copyts=None, **_bounds(scan.limits)).output(
            "pipe:",
            map=f"0:{scan.stream}",
            f="image2pipe",
            vcodec="ppm",
            pix_fmt="rgb24",
            **program.filter_from(str(graph)),
            **program.every_frame(),
        )
        args = job.global_args(*QUIET, "-loglevel", "level+info").compile(cmd=program.path)
        log = _Log(tally)
        with _started(args, scan.info.path, log.follow) as output:
            yield from _selected(scan, wanted, output, log)


def _graph(scan: Scan, wanted: np.ndarray, program: Program) -> str:
    """Return the filter that selects the wanted frames, logs their times and makes pixels square.

    At every tenth frame, wanted or not, BEAT writes a line to the log as a sign of progress.
    """
    timeline = scan.timeline
    if _by_number(timeline):
        name, values = "n", index_of_frames(timeline, wanted)
    else:
        name, values = "pts", wanted
    chosen = is_one_of(name, values.tolist())
    tick = f"{timeline.time_base.numerator}/{timeline.time_base.denominator}"
    to_rgb = _to_rgb(scan.colours, program)
    return f"settb={tick},{BEAT},select='{chosen}',showinfo@wanted=checksum=0,setpts=N/TB,{to_rgb}"


def _by_number(timeline: Timeline) -> bool:
    """Return whether frames are selected by number: the file has no times, or times restart."""
    return timeline.ordered or bool(timeline.joins)


BEAT = "split[frames],select='not(mod(n,10))',showinfo@beat=checksum=0,nullsink;[frames]null"


def is_one_of(name: str, values: list[int]) -> str:
    """Return an FFmpeg expression that is true if `name` is one of `values` (a search tree).

    Args:
        name: A variable of FFmpeg's expressions.
        values: Ascending; at least one.
    """
    if len(values) == 1:
        return f"eq({name},{values[0]})"
    half = len(values) // 2
    below, above = is_one_of(name, values[:half]), is_one_of(name, values[half:])
    return f"if(lt({name},{values[half]}),{below},{above})"


SILENCE_SECONDS = 120.0


@contextmanager
def _started(
    args: list[str], path: Path, follow_log: Callable[[bytes], None]
) -> Iterator[IO[bytes]]:
    """Start the program and yield its standard output; kill the program at the block's end.

    If the program writes nothing for SILENCE_SECONDS, not even to its log, reading raises an
    RdmfError that names the video `path`.
    """
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with child(args, **pipes) as process, Watchdog(process, SILENCE_SECONDS) as watch:

        def follow() -> None:
            for line in process.stderr:  # type: ignore[union-attr]
                watch.progress()
                follow_log(line)

        log = Thread(target=follow, daemon=True)
        log.start()
        try:
            output: FileIO = process.stdout.raw  # type: ignore[union-attr]
            yield BufferedReader(_Watched(output, watch, path), BLOCK_BYTES)
        finally:
            process.kill()
            log.join()


BLOCK_BYTES = 1 << 16


class _Watched(RawIOBase):
    """A program's output, with a limit on the time without progress."""

    def __init__(self, output: FileIO, watch: Watchdog, path: Path):
        self._output, self._watch, self._path = output, watch, path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        with self._watch.waiting():
            count = self._output.readinto(buffer)
        if self._watch.has_killed:
            what = f"ffmpeg made no progress for {SILENCE_SECONDS:g} s and was stopped"
            raise RdmfError(what, self._path, "try --decoder pyav, or convert the file")
        return count


SHOWN = re.compile(rb"showinfo@wanted.*\bn: *(\d+) +pts: *(-?\d+)")
LOG_LAGS_SECONDS = 10.0


class _Log:
    """A reader of the program's log: the time of each frame that it outputs, and errors."""

    def __init__(self, tally: Tally):
        self.tally = tally
        self.times: SimpleQueue[int] = SimpleQueue()

    def follow(self, line: bytes) -> None:
        if found := SHOWN.search(line):
            self.times.put(int(found[2]))
        elif b"[error]" in line or b"[fatal]" in line:
            self.tally.error(line.decode(errors="replace").strip())


def _selected(scan: Scan, wanted: np.ndarray, output: IO[bytes], log: _Log) -> Iterator[Picture]:
    """Yield pictures: the image from the program's output, its time from the log."""
    in_order = iter(wanted.tolist())
    while (image := _read_ppm(output)) is not None:
        try:
            pts = log.times.get(timeout=LOG_LAGS_SECONDS)
        except Empty:
            what = "ffmpeg did not report the times of its frames"
            raise RdmfError(what, scan.info.path, "use --decoder pyav") from None
        if _by_number(scan.timeline):
            pts = next(in_order)
        log.tally.frames_decoded += 1
        yield Picture(pts, pts, image)


def _read_ppm(pipe: IO[bytes]) -> np.ndarray | None:
    """Read the next binary PPM picture (P6, width, height, 255, pixels); None at the end."""
    if pipe.readline().strip() != b"P6":
        return None
    width, height = map(int, pipe.readline().split())
    pipe.readline()
    return read_image(pipe, height, width)

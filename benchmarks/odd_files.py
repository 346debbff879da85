"""Ask one question on each of about 400 unusual files, and check what `rdmf query` answers.

    python benchmarks/odd_files.py [--only NAME] [--folder DIR] [--verbose]
    python benchmarks/odd_files.py --fuzz 10000 [--seed 0] [--decode-only]

The script makes files in every codec, container and pixel format that the installed ffmpeg program
can write, files with unusual times, sizes, names and streams, and damaged copies. Child processes
ask a question on each file. These rules must hold:

- each file gets an answer, or an error of one line; never a traceback, a crash or a bug report;
- there is no answer if no clip of the video was decoded;
- the duration differs by at most a frame from the duration that ffprobe states (for the file or its
  packets), or there is a warning; for a damaged file, the difference is at most 0.25 s;
- no file takes more than 60 s, or 1.2 GB of memory.

`--fuzz N` damages small videos in N ways instead (see `damage.py`; the seed of a file is its name),
without the comparison with ffprobe. With `--decode-only`, PyAV decodes the files and nothing is
encoded, which is several times faster. The script needs the programs ffmpeg and ffprobe.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from threading import Timer
from typing import IO, Any, NamedTuple

import av
import numpy as np
from damage import damaged

SECONDS_EACH = 60.0
START_UP_SECONDS = 30.0  # for the start of a process on a busy machine
MEGABYTES_EACH = 1200
FILES_PER_PROCESS = 100
QUERY = "a red square"
HARDWARE = ("_v4l2m2m", "_nvenc", "_qsv", "_vaapi", "_omx")


class CannotBeMade(Exception):  # noqa: N818  (no error: this ffmpeg program lacks a part)
    """The installed ffmpeg program cannot write such a file."""


@dataclass(frozen=True)
class Odd:
    """A file to make. `make` writes it to the given path, in its own folder."""

    group: str
    name: str
    make: Callable[[Path], None]

    def path(self, folder: Path) -> Path:
        return folder / self.group / self.name


# How files are made


def ffmpeg(*args: object) -> None:
    words = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *map(str, args)]
    try:
        done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    except subprocess.TimeoutExpired as error:
        raise CannotBeMade("it takes too long") from error
    if done.returncode:
        raise CannotBeMade(done.stderr.decode(errors="replace").strip()[-200:])


def pictures(size: str = "96x64", rate: str = "10", seconds: float = 3) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc=s={size}:r={rate}:d={seconds}")


def colour(name: str, size: str = "96x64", rate: str = "10", seconds: float = 3) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"color={name}:s={size}:r={rate}:d={seconds}")


def sound(seconds: float = 3) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"sine=d={seconds}")


H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")


def by_ffmpeg(group: str, name: str, *args: object) -> Odd:
    """Make a file with one run of the ffmpeg program."""
    return Odd(group, name, lambda path: ffmpeg(*args, path))


def steps(*commands: tuple[object, ...]) -> Callable[[Path], None]:
    """Make a file in several runs; @ stands for the file, and @NAME for a file beside it."""

    def make(path: Path) -> None:
        for words in commands:
            ffmpeg(*(_beside(path, word) for word in words))

    return make


def _beside(path: Path, word: object) -> object:
    if isinstance(word, str) and word.startswith("@"):
        return path if word == "@" else path.with_name(f"_{path.stem}_{word[1:]}")
    return word


def joined(*parts: tuple[object, ...], suffix: str) -> Callable[[Path], None]:
    """Join the bytes of several recordings."""

    def make(path: Path) -> None:
        pieces = [path.with_name(f"_{path.stem}_{i}.{suffix}") for i in range(len(parts))]
        for piece, args in zip(pieces, parts, strict=True):
            ffmpeg(*args, piece)
        path.write_bytes(b"".join(piece.read_bytes() for piece in pieces))

    return make


# The groups


def codecs() -> Iterator[Odd]:
    """Use every video encoder, in the first container that accepts it."""
    for encoder in _listed("-encoders", "V"):
        if not encoder.endswith(HARDWARE) and encoder != "wrapped_avframe":
            yield Odd("codecs", f"{encoder}.nut", _encoded(encoder))


SIZES = {"h261": "176x144", "h263": "176x144", "dvvideo": "720x576", "dnxhd": "1280x720"}
SIZES |= {"xface": "48x48", "roqvideo": "128x64", "avui": "720x576"}
NEEDS: dict[str, tuple[str, ...]] = {
    "dvvideo": ("-r", "25", "-pix_fmt", "yuv420p"),
    "dnxhd": ("-profile:v", "dnxhr_sq", "-pix_fmt", "yuv422p"),
    "roqvideo": ("-r", "30"),
    "libaom-av1": ("-cpu-used", "8"),
    "librav1e": ("-speed", "10"),
    "mpeg1video": ("-r", "25"),
    "mpeg2video": ("-r", "25"),
    "rv10": ("-r", "25"),
    "rv20": ("-r", "25"),
}


def _encoded(encoder: str) -> Callable[[Path], None]:
    source = pictures(SIZES.get(encoder, "96x64"), seconds=2)
    args = (*source, "-c:v", encoder, *NEEDS.get(encoder, ()), "-strict", "-2")

    def make(path: Path) -> None:
        for suffix in ("nut", "rm", "roq", "avi", "mov"):
            try:
                ffmpeg(*args, written := path.with_suffix(f".{suffix}"))
                if written != path:
                    written.replace(path)
                return
            except CannotBeMade as error:
                problem = error
        raise problem

    return make


def pixel_formats() -> Iterator[Odd]:
    """Write raw pictures in every format that can be written."""
    for name in _listed("-pix_fmts", "O", column=1):
        args = (*pictures(seconds=1), "-c:v", "rawvideo", "-pix_fmt", name)
        yield by_ffmpeg("pixel formats", f"{name}.nut", *args)


def _listed(option: str, flag: str, column: int = 0) -> list[str]:
    """Return names from a table of the ffmpeg program; in each row, flags come first."""
    command = ["ffmpeg", "-hide_banner", option]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in said.splitlines()]
    return [r[1] for r in rows if len(r) > 2 and r[0][column : column + 1] == flag and r[1] != "="]


CONTAINERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("mp4", "mov", "m4v", "mkv", "avi", "ts", "flv", "nut", "f4v", "ismv"), H264),
    **dict.fromkeys(("h264", "m2ts", "3gp", "3g2"), H264),
    "hevc": ("-c:v", "libx265", "-x265-params", "log-level=none"),
    "webm": ("-c:v", "libvpx"),
    "ivf": ("-c:v", "libvpx-vp9"),
    "obu": ("-c:v", "libaom-av1", "-cpu-used", "8"),
    "ogv": ("-c:v", "libtheora"),
    **dict.fromkeys(("mpg", "vob", "m2v", "mxf"), ("-c:v", "mpeg2video", "-r", "25")),
    "m1v": ("-c:v", "mpeg1video", "-r", "25"),
    **dict.fromkeys(("wmv", "asf"), ("-c:v", "wmv2")),
    **dict.fromkeys(("gif", "apng", "y4m", "mjpeg", "swf", "amv"), ()),
    "rm": ("-c:v", "rv20", "-r", "25"),
    "dv": ("-s", "720x576", "-r", "25", "-pix_fmt", "yuv420p"),
    "gxf": ("-s", "720x576", "-r", "25", "-c:v", "mpeg2video", "-ar", "48000"),
    "dirac": ("-c:v", "vc2", "-strict", "-2"),
    "cavs": ("-c:v", "libxavs"),
    "divx": ("-c:v", "mpeg4", "-f", "avi"),
    "wtv": ("-c:v", "mpeg2video", "-r", "25"),
    "webp": ("-c:v", "libwebp_anim"),
    "viv": ("-c:v", "h263", "-s", "176x144", "-f", "h263"),
}
WITH_SOUND = {"mp4", "mov", "mkv", "avi", "ts", "flv", "webm", "ogv", "mpg", "wmv", "3gp", "mxf"}


def containers() -> Iterator[Odd]:
    for suffix, args in CONTAINERS.items():
        yield by_ffmpeg("containers", f"plain.{suffix}", *pictures(), *args)
    for suffix in sorted(WITH_SOUND):
        args = (*pictures(), *sound(4), *CONTAINERS[suffix])
        yield by_ffmpeg("containers", f"sound.{suffix}", *args)
    for flags in ("frag_keyframe+empty_moov", "faststart", "dash", "rtphint", "frag_every_frame"):
        args = (*pictures(), *H264, "-g", "5", "-movflags", flags)
        yield by_ffmpeg("containers", f"{flags}.mp4", *args)
    live = (*pictures(), "-c:v", "libvpx", "-live", "1")
    yield by_ffmpeg("containers", "live.webm", *live)
    hidden = (*pictures(), *H264, "-f", "matroska")
    yield by_ffmpeg("containers", "matroska_called.mp4", *hidden)


def times() -> Iterator[Odd]:
    """Make files in which time begins late, jumps, falls back or does not advance."""
    for suffix in ("mp4", "mkv", "ts", "avi", "flv", "nut", "mpg"):
        args = CONTAINERS[suffix]
        late = (*sound(9), "-itsoffset", "6", *pictures(), "-map", "0", "-map", "1", *args)
        yield by_ffmpeg("times", f"picture_after_sound.{suffix}", *late)
        early = (*pictures(), "-itsoffset", "2", *sound(3), "-map", "0", "-map", "1", *args)
        yield by_ffmpeg("times", f"sound_after_picture.{suffix}", *early)
        shifted = (*pictures(), *args, "-output_ts_offset", "500")
        yield by_ffmpeg("times", f"begins_at_500_s.{suffix}", *shifted)
        yield Odd("times", f"copied_cut.{suffix}", _copied_cut(suffix))
    yield from _concatenated()
    wrap = ("-output_ts_offset", str(2**33 / 90000 - 1.5))
    yield by_ffmpeg("times", "wraps_around.ts", *pictures(), *H264, *wrap)
    for name, ticks in TICKS.items():
        for suffix in ("mp4", "mkv"):
            yield Odd("times", f"{name}.{suffix}", _timed(ticks))
    for rate in ("1/7", "1", "1000", "24000/1001"):
        many = pictures(rate=rate, seconds=15 if rate[0] == "1" and rate != "1000" else 1)
        yield by_ffmpeg("times", f"rate_{rate.replace('/', '_')}.mp4", *many, *H264)
    yield by_ffmpeg("times", "raw_30.h264", *pictures(rate="30"), *H264)
    yield by_ffmpeg("times", "raw_bframes.h264", *pictures(rate="25"), *H264, "-bf", "3")


TICKS = {  # ticks of 1/1000 s
    "one_frame": (0,),
    "two_frames": (0, 40),
    "a_minute_of_nothing": (*range(0, 1000, 100), *range(61000, 62000, 100)),
    "an_hour_of_nothing": (0, 100, 200, 3_600_000, 3_600_100),
    "uneven": (0, 1, 2, 500, 501, 1700, 1701, 2900),
    "a_frame_a_minute": tuple(range(0, 300_000, 60_000)),
    "begins_late": tuple(range(90_000, 93_000, 100)),
}


def _timed(ticks: tuple[int, ...]) -> Callable[[Path], None]:
    """Write a frame at each of the given times, in milliseconds, with PyAV."""

    def make(path: Path) -> None:
        with av.open(str(path), "w") as film:
            stream = film.add_stream("libx264", rate=Fraction(25))
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
            for number, tick in enumerate(ticks):
                shade = np.full((64, 96, 3), 50 + 20 * number % 200, np.uint8)
                frame = av.VideoFrame.from_ndarray(shade, format="rgb24")
                frame.pts, frame.time_base = tick, Fraction(1, 1000)
                film.mux(stream.encode(frame))
            film.mux(stream.encode(None))

    return make


def _copied_cut(suffix: str) -> Callable[[Path], None]:
    """Copy from the middle of a group of pictures on, without encoding: an edit list, or hidden
    frames.
    """
    whole = (*pictures(seconds=9), *sound(9), *CONTAINERS[suffix], "-g", "40", f"@whole.{suffix}")
    return steps(whole, ("-ss", "3", "-i", f"@whole.{suffix}", "-c", "copy", "@"))


def _concatenated() -> Iterator[Odd]:
    """Join files end to end; recorders, dash cameras and stream dumps write such files."""
    red, blue = colour("red"), colour("blue")
    for suffix in ("ts", "flv", "mpg", "h264", "mjpeg", "avi", "mkv", "webm", "mp4"):
        args = CONTAINERS[suffix]
        make = joined((*red, *args), (*blue, *args), suffix=suffix)
        yield Odd("times", f"joined.{suffix}", make)
        shifted = (*red, *args, "-output_ts_offset", "500")
        again = joined(shifted, (*blue, *args), suffix=suffix)
        yield Odd("times", f"joined_after_500_s.{suffix}", again)
    streams = [
        (*source, *H264, "-mpegts_start_pid", pid, "-mpegts_pmt_start_pid", f"0x1{pid[2:]}")
        for source, pid in ((red, "0x100"), (blue, "0x300"))
    ]
    yield Odd("times", "joined_other_stream.ts", joined(*streams, suffix="ts"))
    sizes = (colour("red"), colour("blue", size="128x96"))
    other = joined(*((*source, *H264) for source in sizes), suffix="ts")
    yield Odd("times", "joined_other_size.ts", other)


def streams() -> Iterator[Odd]:
    """Make files with several streams or none, turned pictures, odd colours, encryption."""
    two = (*colour("red"), *colour("blue", "160x128"), "-map", "0", "-map", "1", *H264)
    for suffix in ("mp4", "mkv", "ts"):
        yield by_ffmpeg("streams", f"two_videos.{suffix}", *two)
    yield by_ffmpeg("streams", "only_sound.mp4", *sound())
    yield by_ffmpeg("streams", "only_sound.mkv", *sound())
    cover = (*sound(), *pictures(seconds=0.1), "-map", "0", "-map", "1", "-c:v", "png")
    cover += ("-disposition:v", "attached_pic", "-frames:v", "1")
    yield by_ffmpeg("streams", "cover.m4a", *cover, "-f", "ipod")
    yield Odd("streams", "subtitles.mkv", _with_subtitles)
    for matrix in (*range(15), 255):
        filters = ("-bsf:v", f"h264_metadata=matrix_coefficients={matrix}")
        yield by_ffmpeg("streams", f"matrix_{matrix}.mp4", *pictures(), *H264, *filters)
    for transfer in ("smpte2084", "arib-std-b67", "linear", "log100", "smpte428"):
        tags = ("-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")
        hdr = ("-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=none")
        yield by_ffmpeg("streams", f"{transfer}.mp4", *pictures(), *hdr, *tags)
    for scheme in ("cenc-aes-ctr",):
        key = ("-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb")
        key += ("-encryption_kid", "a7e61c373e219033c21091fa607bf3b8")
        encrypted = (*colour("red"), *H264, "-encryption_scheme", scheme, *key)
        yield by_ffmpeg("streams", f"encrypted_{scheme}.mp4", *encrypted)
        many = (*pictures(seconds=20), *H264, "-encryption_scheme", scheme, *key)
        yield by_ffmpeg("streams", f"encrypted_long_{scheme}.mp4", *many)
    for degrees in (90, 180, 270):
        make = steps(
            (*pictures(), *H264, "@plain.mp4"),
            ("-i", "@plain.mp4", "-c", "copy", "-metadata:s:v", f"rotate={degrees}", "@"),
        )
        for suffix in ("mp4", "mov"):
            yield Odd("streams", f"turned_{degrees}.{suffix}", make)
    for name, orientation in (("exif.avi", 1), ("exif_turned.avi", 6), ("exif.mkv", 8)):
        yield Odd("streams", name, _with_exif(orientation))
    yield by_ffmpeg(
        "streams", "interlaced.ts", *pictures(rate="25"), *H264, "-flags", "+ilme+ildct"
    )
    refresh = ("-x264-params", "intra-refresh=1:keyint=20")
    yield by_ffmpeg("streams", "intra_refresh.mp4", *pictures(), *H264, *refresh)
    yield by_ffmpeg("streams", "open_gop.mp4", *pictures(), *H264, "-x264-params", "open-gop=1")


def _with_subtitles(path: Path) -> None:
    text = path.with_name("_subtitles.srt")
    text.write_text("1\n00:00:00,000 --> 00:00:02,000\nHello\n")
    ffmpeg(*pictures(), "-i", text, *H264, path)


def _with_exif(orientation: int) -> Callable[[Path], None]:
    """Write JPEG pictures with a block of EXIF, as cameras do."""
    entry = (
        np.array([1, 0x112, 3], "<u2").tobytes() + np.array([1, orientation, 0], "<u4").tobytes()
    )
    block = b"Exif\0\0II*\0\x08\0\0\0" + entry
    marker = b"\xff\xd8\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block

    def make(path: Path) -> None:
        plain = path.with_name(f"_{path.name}.mjpeg")
        ffmpeg(*pictures(), "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", plain)
        plain.write_bytes(plain.read_bytes().replace(b"\xff\xd8", marker))
        ffmpeg("-f", "mjpeg", "-framerate", "10", "-i", plain, "-c", "copy", path)

    return make


def sizes() -> Iterator[Odd]:
    """Make files with odd picture sizes, pixels that are not square, and sizes that change."""
    for size in ("2x2", "16x16", "16x2000", "3840x16", "98x34", "4096x2304"):
        yield by_ffmpeg("sizes", f"{size}.mp4", *pictures(size, seconds=1), *H264)
    for size in ("1x1", "3x5", "17x13", "1x200"):
        yield by_ffmpeg("sizes", f"{size}.mkv", *pictures(size, seconds=1), "-c:v", "ffv1")
    for shape in ("2/1", "1/2", "16/15", "1000/1", "1/1000"):
        name = f"pixels_{shape.replace('/', '_')}.mp4"
        yield by_ffmpeg("sizes", name, *pictures(), "-vf", f"setsar={shape}", *H264)
    changing = joined((*pictures(), *H264), (*pictures("160x96"), *H264), suffix="h264")
    yield Odd("sizes", "changes.h264", changing)


NAMES = (
    "two words.mp4",
    "-starts-with-a-dash.mp4",
    "100%d.mp4",
    "https:film.mp4",
    "ファイル🎬.mp4",
    "a'quote\".mp4",
    "[brackets]{braces}.mp4",
    "no_suffix",
    "line\nbreak.mp4",
    "x" * 200 + ".mp4",
    "pictures.mp4.txt",
    "film.jpg",
)


def names() -> Iterator[Odd]:
    for name in NAMES:
        yield by_ffmpeg("names", name, *pictures(), *H264, "-f", "mp4")
    title = ("-metadata", b"title=caf\xe9".decode("utf-8", "surrogateescape"))
    yield Odd("names", "title.mp4", lambda path: ffmpeg(*pictures(), *H264, *title, path))


BASES: dict[str, tuple[str, ...]] = {
    "mp4": (*sound(2), *pictures(seconds=2), *H264, "-g", "5", "-bf", "2"),
    "mov": (*pictures(seconds=2), *H264, "-movflags", "faststart"),
    "mkv": (*pictures(seconds=2), *H264, "-bf", "2"),
    "webm": (*pictures(seconds=2), "-c:v", "libvpx-vp9", "-cpu-used", "8"),
    "ts": (*sound(2), *pictures(seconds=2), *H264),
    "avi": (*pictures(seconds=2), "-c:v", "mpeg4"),
    "mpg": (*pictures(rate="25", seconds=2), "-c:v", "mpeg2video"),
    "flv": (*pictures(seconds=2), "-c:v", "flv"),
    "wmv": (*pictures(seconds=2), "-c:v", "wmv2"),
    "ogv": (*pictures(seconds=2), "-c:v", "libtheora"),
    "gif": pictures(seconds=2),
    "mxf": (*pictures(rate="25", seconds=2), "-c:v", "mpeg2video"),
    "3gp": (*pictures("176x144", seconds=2), "-c:v", "h263"),
    "h264": (*pictures(seconds=2), *H264),
    "hevc": (*pictures(seconds=2), "-c:v", "libx265", "-x265-params", "log-level=none"),
    "m4v": (*pictures(seconds=2), *H264, "-movflags", "frag_keyframe+empty_moov", "-g", "5"),
}
DAMAGED_EACH = 7


def damage() -> Iterator[Odd]:
    for number, suffix in enumerate(BASES):
        for seed in range(number * DAMAGED_EACH, (number + 1) * DAMAGED_EACH):
            yield Odd("damage", f"{seed}.{suffix}", _damaged(suffix, seed))


def _damaged(suffix: str, seed: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        base = path.with_name(f"_base.{suffix}")
        if not base.exists():
            ffmpeg(*BASES[suffix], base)
        path.write_bytes(damaged(base.read_bytes(), seed))

    return make


GROUPS = (codecs, pixel_formats, containers, times, streams, sizes, names, damage)


# How files are asked


@dataclass
class Told:
    """The result for one file.

    row:    the JSON line of the answer; None if there is none
    faults: the rules that the result breaks
    """

    path: Path
    row: dict[str, Any] | None
    seconds: float
    megabytes: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        return self.row is not None and self.row["schema"] == "rdmf.answer/1"

    @property
    def refusal(self) -> str:
        return "" if self.row is None or self.answered else self.row["error"]["what"]


class Child(NamedTuple):
    """The result of one process: a row per file, up to its end, and how it ended."""

    rows: list[tuple[dict[str, Any], float]]
    stderr: list[str]
    status: int
    megabytes: float
    hung: bool


Command = Callable[[list[Path]], list[str]]


def query(paths: list[Path]) -> list[str]:
    command = [sys.executable, "-m", "rdmf_cli", "query", "--query", QUERY, "--json", "--no-cache"]
    return [*command, "--encoder", "embedded", "--", *map(str, paths)]


# Prints the lines of `rdmf query --json`, with only the keys that concern decoding.
DECODE = """
import json, sys
from rdmf_cli.errors import RdmfError, errors_of
from rdmf_cli.video import open_clips, probe

for path in sys.argv[1:]:
    try:
        with errors_of(path):
            eighth = max(0.1, probe(path).duration / 8)
        with errors_of(path), open_clips(path, eighth, decoder="pyav") as reader:
            clips = sum(1 for clip in reader)
            features = {"clips": clips, "frames_decoded": reader.frames_decoded,
                        "frames_failed": reader.failures.count}
            row = {"schema": "rdmf.answer/1", "duration": reader.info.duration,
                   "warnings": [*reader.info.warnings, *reader.failures.messages],
                   "features": features}
    except RdmfError as error:
        row = {"schema": "rdmf.error/1", "error": error.as_dict()}
    print(json.dumps(row), flush=True)
"""


def decode(paths: list[Path]) -> list[str]:
    return [sys.executable, "-c", DECODE, *map(str, paths)]


def ask(paths: list[Path], command: Command = query) -> Iterator[Told]:
    """Ask all files in one process; ask files without a clear result again, one by one."""
    while paths:
        child = _run(paths, command)
        told = [Told(p, *found) for p, found in zip(paths, child.rows, strict=False)]
        early = len(told) < len(paths)
        if len(paths) == 1:
            yield _with_faults(told[0] if told else _ended_at(paths[0], child), child)
            return
        if not early and (child.megabytes > MEGABYTES_EACH or _unexplained(child)):
            yield from (found for path in paths for found in ask([path], command))
            return
        yield from told
        if early:  # the present file is the cause, or the machine was busy
            yield from ask([paths[len(told)]], command)
        paths = paths[len(told) + early :]


def _with_faults(told: Told, child: Child) -> Told:
    told.megabytes = child.megabytes
    told.faults += _faults_of(child)
    return told


def _run(paths: list[Path], command: Command) -> Child:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            command(paths), stdout=subprocess.PIPE, stderr=log, env=environment
        )
        rows, hung = _rows(child, len(paths))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        stderr = log.read().decode(errors="replace").splitlines()
    return Child(rows, stderr, child.returncode, usage.ru_maxrss / 1024, hung)


def _rows(
    child: subprocess.Popen[bytes], expected: int
) -> tuple[list[tuple[dict[str, Any], float]], bool]:
    """Return (rows with their seconds, whether a process without output was stopped)."""
    rows, hung = [], False
    with child.stdout as pipe:  # type: ignore[union-attr]
        for number in range(expected):
            begun = time.perf_counter()
            line, hung = _line_in_time(child, pipe, 0.0 if number else START_UP_SECONDS)
            if not line or hung:
                break
            rows.append((json.loads(line), time.perf_counter() - begun))
    return rows, hung


def _line_in_time(
    child: subprocess.Popen[bytes], pipe: IO[bytes], more: float
) -> tuple[bytes, bool]:
    watch = Timer(SECONDS_EACH + more, child.kill)
    watch.start()
    line = pipe.readline()
    hung = not watch.is_alive()
    watch.cancel()
    return line, hung


def _ended_at(path: Path, child: Child) -> Told:
    if child.hung:
        return Told(path, None, SECONDS_EACH, faults=[f"no answer in {SECONDS_EACH:g} s"])
    last = child.stderr[-1] if child.stderr else "nothing on stderr"
    return Told(path, None, 0.0, faults=[f"the process ended with {child.status}: {last}"])


KINDS_OF_LINES = ("error: ", "warning: ", "note: ")


def _unexplained(child: Child) -> list[str]:
    """Return lines of stderr that are not messages of rdmf: tracebacks, and output of libraries."""
    return [line for line in child.stderr if not line.startswith(KINDS_OF_LINES)]


def _faults_of(child: Child) -> list[str]:
    """Return the faults of a process that was asked one file."""
    found = [f"prints: {line}" for line in _unexplained(child)[-1:]]
    if child.megabytes > MEGABYTES_EACH:
        found.append(f"takes {child.megabytes:.0f} MB")
    if sum(line.startswith("error: ") for line in child.stderr) > 1:
        found.append("more than one line of error")
    return found


# What must hold


def judge(told: Told, duration: Callable[[Path], Claim] | None, near: float = 0.0) -> Told:
    """Add the faults of a row. near: seconds by which ffprobe's packets may differ."""
    if told.refusal.startswith("unexpected error"):
        told.faults.append(told.refusal)
    if told.answered and told.row is not None:
        told.faults += _from_nothing(told.row["features"])
        if duration is not None and not told.row["warnings"]:
            told.faults += _other_duration(told, duration(told.path), near)
    return told


def _from_nothing(features: dict[str, Any]) -> Iterator[str]:
    if features["frames_decoded"] == 0 or features["frames_failed"] >= features["clips"]:
        yield f"answered, though no clip was decoded ({features['clips']} clips)"


class Claim(NamedTuple):
    """The durations that ffprobe states, in seconds.

    durations: of the container, and from its start (some count from zero); none if unknown
    frame:     how long a frame is shown
    """

    durations: tuple[float, ...]
    frame: float


def claim_of(path: Path) -> Claim:
    entries = "format=duration,start_time:stream=avg_frame_rate,r_frame_rate"
    command = ["ffprobe", "-v", "error", "-select_streams", "V", "-of", "json"]
    command += ["-show_entries", entries, f"file:{path}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        said = json.loads(done.stdout or b"{}")
    except (subprocess.TimeoutExpired, ValueError):
        return Claim((), 0.0)
    whole = said.get("format", {})
    frames = [frame for stream in said.get("streams", ()) for frame in _frame_seconds(stream)]
    return Claim(_durations(whole), max(frames, default=0.04))


def _durations(whole: dict[str, str]) -> tuple[float, ...]:
    if "duration" not in whole:
        return ()
    duration = float(whole["duration"])
    return duration, duration - float(whole.get("start_time", 0))


def _frame_seconds(stream: dict[str, str]) -> Iterator[float]:
    """Return how long a frame is shown: on average, and by the codec's own rate."""
    for name in ("avg_frame_rate", "r_frame_rate"):
        above, _, below = stream.get(name, "0/0").partition("/")
        if int(above) and int(below):
            yield int(below) / int(above)


MILLISECONDS = 0.002  # both are rounded


ALWAYS = float("inf")
HEADERS_ROUND = 0.25  # seconds; see TOLERANCE_SECONDS in rdmf_cli/video/info.py


def _other_duration(told: Told, claim: Claim, near: float) -> Iterator[str]:
    assert told.row is not None
    seconds, most = told.row["duration"], claim.frame + MILLISECONDS
    differs = min((abs(seconds - d) for d in claim.durations), default=0.0)
    if differs <= most or differs <= near < ALWAYS:
        return
    if near == ALWAYS and abs(seconds - packet_seconds(told.path)) <= most:
        return
    yield (
        f"lasts {seconds:.3f} s, ffprobe says {claim.durations[0]:.3f} s, and there is no warning"
    )


def packet_seconds(path: Path) -> float:
    """Return how long the packets of a file last, according to ffprobe."""
    command = ["ffprobe", "-v", "error", "-of", "csv=p=0"]
    command += ["-show_entries", "packet=pts_time,dts_time,duration_time", f"file:{path}"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    rows = [line.strip(",").split(",") for line in said.splitlines()]
    times = [[float(x) for x in row if x != "N/A"] for row in rows]
    begins = [row[0] for row in times if row]
    ends = [row[0] + (row[-1] if len(row) > 1 else 0.0) for row in times if row]
    return max(ends, default=0.0) - min(begins, default=0.0)


# The two ways to run


def sweep(folder: Path, only: str) -> Iterator[tuple[str, Told]]:
    """Yield (group, result) for every file that can be made."""
    unmade = []
    for group in GROUPS:
        made = []
        for odd in group():
            if only not in f"{odd.group}/{odd.name}":
                continue
            path = odd.path(folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                odd.make(path)
                made.append(path)
            except (CannotBeMade, av.error.FFmpegError) as error:
                unmade.append(f"{odd.group}/{odd.name}: {str(error)[-90:]!r}")
        for part in _parts(made):
            near = HEADERS_ROUND if group is damage else ALWAYS
            yield from ((odd.group, judge(told, claim_of, near)) for told in ask(part))
    if unmade:
        print(f"{len(unmade)} files cannot be made by this ffmpeg:", *unmade, sep="\n    ")


def fuzz(folder: Path, count: int, seed: int, command: Command) -> Iterator[tuple[str, Told]]:
    """Yield the results of damaged copies of small videos, made and removed in batches."""
    bases = {}
    for suffix, args in BASES.items():
        ffmpeg(*args, base := folder / f"base.{suffix}")
        bases[suffix] = base.read_bytes()
    seeds = iter(range(seed, seed + count))
    while batch := list(islice(seeds, FILES_PER_PROCESS)):
        paths = [_write_damaged(folder, bases, number) for number in batch]
        yield from ((told.path.suffix[1:], judge(told, None)) for told in ask(paths, command))
        for path in paths:
            path.unlink()


def _write_damaged(folder: Path, bases: dict[str, bytes], seed: int) -> Path:
    suffix = list(bases)[seed % len(bases)]
    path = folder / f"{seed}.{suffix}"
    path.write_bytes(damaged(bases[suffix], seed) or b"\0")
    return path


def _parts(paths: list[Path]) -> Iterable[list[Path]]:
    return (paths[i : i + FILES_PER_PROCESS] for i in range(0, len(paths), FILES_PER_PROCESS))


def show(found: Iterator[tuple[str, Told]], verbose: bool) -> int:
    """Print faults at once, and a table of the groups at the end; return their number."""
    count: Counter[tuple[str, str]] = Counter()
    slowest = largest = 0.0
    for group, told in found:
        kind = "answered" if told.answered else "refused"
        count[group, kind] += 1
        count[group, "warned"] += told.answered and bool(told.row and told.row["warnings"])
        count[group, "faults"] += bool(told.faults)
        slowest, largest = max(slowest, told.seconds), max(largest, told.megabytes)
        for fault in told.faults:
            print(f"FAULT {group}/{told.path.name}: {fault}", flush=True)
        if verbose and not told.faults:
            print(f"{kind} {group}/{told.path.name} {told.refusal}", flush=True)
    _print_table(count)
    print(f"slowest {slowest:.1f} s")
    return sum(number for (_, kind), number in count.items() if kind == "faults")


COLUMNS = ("answered", "warned", "refused", "faults")


def _print_table(count: Counter[tuple[str, str]]) -> None:
    print(f"{'':16s}" + "".join(f"{column:>10s}" for column in COLUMNS))
    groups = list(dict.fromkeys(group for group, _ in count))
    for group in groups:
        print(f"{group:16s}" + "".join(f"{count[group, column]:10d}" for column in COLUMNS))
    sums = (sum(count[group, column] for group in groups) for column in COLUMNS)
    print(f"{'all':16s}" + "".join(f"{number:10d}" for number in sums))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fuzz", type=int, metavar="N", help="use N damaged files instead")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first damaged file")
    parser.add_argument("--decode-only", action="store_true", help="with --fuzz: only decode")
    parser.add_argument(
        "--only", default="", metavar="NAME", help="only files with NAME in their name"
    )
    parser.add_argument("--folder", type=Path, help="keep the files here")
    parser.add_argument("--verbose", action="store_true", help="print a line for every file")
    args = parser.parse_args()
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        sys.exit("the programs ffmpeg and ffprobe are needed")
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        command = decode if args.decode_only else query
        if args.fuzz:
            found = fuzz(folder, args.fuzz, args.seed, command)
        else:
            found = sweep(folder, args.only)
        faults = show(found, args.verbose)
    sys.exit(f"{faults} files are not treated as they should be" if faults else 0)


if __name__ == "__main__":
    main()

"""The packet timeline: the times of all packets, read by demuxing, before anything is decoded."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition

from rdmf_cli.errors import RdmfError
from rdmf_cli.video.allocations import limited_allocations
from rdmf_cli.video.encryption import (
    EncryptedVideoError,
    packet_is_encrypted,
    require_clear,
    require_clear_header,
)
from rdmf_cli.video.formats import JOIN, is_list, looks_like_list, opener, options
from rdmf_cli.video.joins import OVERFLOWING, find_joins, shifts_of
from rdmf_cli.video.sizes import (
    MOST_BYTES_OF_A_PACKET,
    PROBED_PIXELS,
    large_packet,
    probed_pixels,
)

LOCAL = "file:"  # without this, FFmpeg reads a file name with a colon as a protocol
MISSING = np.iinfo(np.int64).min
KEY, HIDDEN = 1, 2

# AVI stores no presentation times. FFmpeg guesses them; for H.264 with B-frames it guesses wrong.
UNTIMED_CONTAINERS = {"avi"}
# No codec reorders more frames than this.
REORDERED_PACKETS = 16
USUAL_RATE = Fraction(25)  # frames per second, for a file that does not state its frame rate


@dataclass(frozen=True, eq=False)
class Timeline:
    """The packets of one video stream, in file order (which is decoding order).

    Attributes:
        pts: Presentation times, int64 (N,), in ticks of `time_base`; MISSING if unknown.
        dts: Decoding times, int64 (N,), in ticks of `time_base`; MISSING if unknown.
        flags: uint8 (N,). KEY: decoding can begin here; HIDDEN: the frame is decoded but never
            shown (edit lists).
        time_base: Seconds per tick.
        ordered: Whether the file has no presentation times. Then frames come in display order, and
            the k-th frame is shown at the k-th time of `shown`.
        last_duration: Duration of the last frame, in ticks; 0: unknown.
        broken: In words, how the file shows that it ends too early; empty if it does not.
        shifts: Ticks added to the times in the file, int64 (N,), if the file holds several
            recordings end to end; else None.
        joins: Numbers of the packets that begin another recording.
        sounds: Start and end of each sound track, in seconds of the file's own time.
        read_to: The end of the second-to-last packet in the file, in bytes; 0: unknown.
    """

    pts: np.ndarray
    dts: np.ndarray
    flags: np.ndarray
    time_base: Fraction
    ordered: bool = False
    last_duration: int = 0
    broken: str = ""
    shifts: np.ndarray | None = None
    joins: tuple[int, ...] = ()
    sounds: tuple[tuple[Fraction, Fraction], ...] = ()
    read_to: int = 0

    def __len__(self) -> int:
        return len(self.pts)

    @cached_property
    def shown(self) -> np.ndarray:
        """Presentation times of the frames that are shown, ascending, int64 (F,)."""
        visible = (self.pts != MISSING) & (self.flags & HIDDEN == 0)
        times: np.ndarray = np.unique(self.pts[visible])
        return times

    @cached_property
    def most_at_once(self) -> int:
        """The largest number of packets with the same presentation time."""
        known = self.pts[self.pts != MISSING]
        return int(np.unique(known, return_counts=True)[1].max(initial=0))

    @cached_property
    def keys(self) -> np.ndarray:
        """Positions of the packets where decoding can begin, ascending, int64 (K,)."""
        return np.flatnonzero((self.flags & KEY != 0) & (self.pts != MISSING))

    @cached_property
    def has_open_gops(self) -> bool:
        """Whether some frame is decoded after a key frame but shown before this key frame."""
        later = np.lib.stride_tricks.sliding_window_view(
            np.pad(self.pts, (1, REORDERED_PACKETS), constant_values=np.iinfo(np.int64).max),
            REORDERED_PACKETS,
        )[2:]
        earliest = np.where(later == MISSING, np.iinfo(np.int64).max, later).min(axis=1)
        return bool(np.any(earliest[self.keys] < self.pts[self.keys]))

    @property
    def start(self) -> int:
        """The time at which the first frame is shown, in ticks."""
        return int(self.shown[0])

    @property
    def begin(self) -> int:
        """The start, in ticks; if presentation times are guessed, the first decoding time."""
        if self.ordered and len(self.dts) and self.dts[0] != MISSING:
            return min(self.start, int(self.dts[0]))
        return self.start

    @property
    def end(self) -> int:
        """The time at which the last frame ends, in ticks; at least one tick after its start."""
        return int(self.shown[-1]) + max(1, self.last_duration or self.usual_step)

    @property
    def usual_step(self) -> int:
        """The median distance between two frames, in ticks; 0 for a single frame."""
        return int(np.median(np.diff(self.shown))) if len(self.shown) > 1 else 0

    @property
    def seconds(self) -> float:
        """The duration from the first frame's start to the last frame's end, in seconds."""
        return float((self.end - self.start) * self.time_base)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a video file with PyAV and choose its main video stream.

    Args:
        path: The file.

    Yields:
        The `av.container.InputContainer` and its video stream.

    Raises:
        RdmfError: The file cannot be read, contains no video, or is encrypted.
    """
    with limited_allocations(), closing(_open(path)) as container:
        stream = _video_stream(container, path)
        require_clear(container, stream, path)
        yield container, stream


# PyAV 19 and newer replace bytes of a title that are not UTF-8 and no longer have this option.
TITLES: dict[str, Any] = (
    {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
)


def _open(path: Path) -> Any:
    container = _open_up_to(path, PROBED_PIXELS)
    unknown = [s.codec_context for s in video_streams(container) if _lacks_size(s)]
    most = max((probed_pixels(context.codec.name) for context in unknown), default=0)
    if most <= PROBED_PIXELS:
        return container
    container.close()
    return _open_up_to(path, most)


def _lacks_size(stream: Any) -> bool:
    """Return whether FFmpeg did not learn the size of pictures: they are damaged or too large."""
    return stream.codec_context is not None and not stream.codec_context.width


def _open_up_to(path: Path, pixels: int) -> Any:
    """Open a file; during the opening, FFmpeg decodes no picture with more pixels."""
    held: dict[str, Any] = {"options": {**options(path), "max_pixels": str(pixels)}}
    if is_list(path):
        held["io_open"] = opener(path)
    try:
        return av.open(f"{LOCAL}{path}", **held, **TITLES)
    except MemoryError as error:
        raise large_packet(path) from error
    except (FFmpegError, UnicodeError, PermissionError) as error:
        if looks_like_list(path):
            raise _refused_list(path, error) from error
        require_clear_header(path)
        raise RdmfError(
            f"cannot be read as a video ({reason(error)})",
            path,
            "check that it plays elsewhere and that it was copied or downloaded completely",
        ) from error


def _refused_list(path: Path, error: Exception) -> RdmfError:
    if is_list(path):
        what = f"this list of other files cannot be read ({reason(error)})"
        return RdmfError(
            what, path, "put all files that the list names into the folder of the list"
        )
    what = "is a list of other files (or is named like one) with the suffix of a video"
    return RdmfError(what, path, JOIN)


def reason(error: Exception) -> str:
    """Return FFmpeg's message with a lower-case first letter."""
    text = getattr(error, "strerror", None) or str(error)
    return text[0].lower() + text[1:]


def _video_stream(container: Any, path: Path) -> Any:
    streams = video_streams(container)
    if not streams:
        kinds = {s.type for s in container.streams}
        sound = "only sound and " if "audio" in kinds else ""
        what = f"holds {sound}no video stream"
        raise RdmfError(what, path, "name a file that contains video")
    return max(streams, key=_rank)


def video_streams(container: Any) -> list[Any]:
    """Return the video streams of a container, without cover art."""
    return [s for s in container.streams.video if not _is_cover(s)]


def _rank(stream: Any) -> tuple[bool, bool, int, int]:
    """Return the rank of a stream; all decoders take the first stream of the highest rank.

    The stream that is marked as default ranks first, then the stream with the most frames (if the
    file states their number), then the stream with the largest picture. Unknown codecs come last.
    """
    known = stream.codec_context is not None
    area = stream.width * stream.height if known else 0
    return known, bool(stream.disposition & Disposition.default), stream.frames, area


def stream_notes(container: Any, stream: Any) -> tuple[str, ...]:
    """Return a note that tells which of several video streams is used."""
    streams = video_streams(container)
    if len(streams) < 2:
        return ()
    number, size = streams.index(stream) + 1, f"{stream.width}x{stream.height}"
    return (f"it holds {len(streams)} video streams; number {number} ({size}) is used",)


def _is_cover(stream: Any) -> bool:
    """Return whether a stream is cover art: the one-picture video stream of a music file."""
    return bool(stream.disposition & Disposition.attached_pic)


def packets(container: Any, *streams: Any) -> Iterator[Any]:
    """Iterate over the packets of some streams, in file order.

    Empty packets are left out, because they would end the decoding. If a new stream appears in the
    middle of the file, PyAV raises IndexError there or at the end; reading continues.

    Args:
        container: The open file.
        *streams: The streams to read.
    """
    while True:
        try:
            yield from (p for p in container.demux(*streams) if p.size)
            return
        except IndexError:
            continue


def read_timeline(container: Any, stream: Any, path: Path) -> Timeline:
    """Demux a newly opened file to its end; damage ends the reading and is noted in `broken`.

    Args:
        container: The open file.
        stream: Its video stream.
        path: The file.

    Raises:
        EncryptedVideoError: A packet is encrypted.
        LargePictureError: A packet is too large.
    """
    pts, dts, durations, flags = array("q"), array("q"), array("q"), array("B")
    broken, packet, sounds, read_to, end = _odd_end(container), None, _Sounds(), 0, 0
    try:
        for any_packet in packets(container, stream, *container.streams.audio):
            if any_packet.size > MOST_BYTES_OF_A_PACKET:
                raise large_packet(path, any_packet.size)
            read_to = max(read_to, end)
            end = (any_packet.pos or 0) + any_packet.size
            if any_packet.stream.index != stream.index:
                sounds.add(any_packet)
                continue
            packet = any_packet
            pts.append(_known(packet.pts))
            dts.append(_known(packet.dts))
            durations.append(packet.duration or 0)
            flags.append(KEY * packet.is_keyframe | HIDDEN * packet.is_discard)
            if packet_is_encrypted(packet):
                raise EncryptedVideoError(path)
        if packet is not None and packet.is_corrupt:
            broken = "the last packet is incomplete"
    except MemoryError as error:
        raise large_packet(path) from error
    except FFmpegError as error:
        broken = f"the file cannot be read further ({reason(error)})"
    name = container.format.name
    timeline = timeline_of(
        PacketTable(*(np.asarray(column) for column in (pts, dts, flags, durations))),
        Fraction(stream.time_base),  # PyAV 19 has its own type, which rounds products
        ordered=name in UNTIMED_CONTAINERS,
        broken=broken,
        rate=frame_rate(container, stream),
        overflows=name in OVERFLOWING,
    )
    return replace(timeline, sounds=sounds.extents, read_to=read_to)


class _Sounds:
    """The start and end of each sound track."""

    def __init__(self) -> None:
        self._begin: dict[int, int] = {}
        self._end: dict[int, int] = {}
        self._ticks: dict[int, Fraction] = {}

    def add(self, packet: Any) -> None:
        if packet.pts is None:
            return
        track, end = packet.stream.index, packet.pts + (packet.duration or 0)
        if track not in self._begin:
            self._begin[track], self._end[track] = packet.pts, end
            self._ticks[track] = Fraction(packet.time_base)
        self._end[track] = max(self._end[track], end)

    @property
    def extents(self) -> tuple[tuple[Fraction, Fraction], ...]:
        return tuple(
            (self._begin[track] * tick, self._end[track] * tick)
            for track, tick in self._ticks.items()
        )


def frame_rate(container: Any, stream: Any) -> Fraction | None:
    """Return the frames per second of a file without times in its packets; None: unknown.

    A raw stream states its rate only inside its pictures; FFmpeg's average is then a default.
    """
    raw = container.format.flags & NO_TIMESTAMPS
    rate = (stream.guessed_rate if raw else None) or stream.average_rate
    return Fraction(rate) if rate else None


# Containers in which a stream may begin in the middle of the file.
GROWING = {"mpegts", "mpeg", "flv", "live_flv", "ogg", "wtv"}
NO_TIMESTAMPS = 0x80  # FFmpeg's AVFMT_NOTIMESTAMPS


def late_streams(container: Any) -> bool:
    """Return whether streams appeared after the file was opened; PyAV does not list them.

    FFmpeg's description of the file lists them, so the function counts streams in the description.
    """
    if container.format.name not in GROWING:
        return False
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        listed: int = container.dumps_format().count("  Stream #")
    finally:
        av.logging.set_level(level)
    known: int = len(container.streams)
    return listed > known


TRANSPORT_PACKET, SYNC_BYTE = 188, 0x47  # ISO/IEC 13818-1; discs and broadcasts add some bytes


def _odd_end(container: Any) -> str:
    """Return words if a transport stream is cut off, that is, does not end with a whole packet."""
    if container.format.name != "mpegts":
        return ""
    with open(container.name.removeprefix(LOCAL), "rb") as file:
        head = file.read(TRANSPORT_PACKET + 1)
    plain = head[0] == head[-1] == SYNC_BYTE
    odd = plain and container.size % TRANSPORT_PACKET
    return "the file ends inside a transport packet" if odd else ""


def _known(ticks: int | None) -> int:
    return MISSING if ticks is None else ticks


class PacketTable(NamedTuple):
    """The packets of a stream of N frames, in the order of the file; times in ticks.

    Attributes:
        pts: Presentation times, int64 (N,); MISSING if the file has no such time.
        dts: Decoding times, int64 (N,); MISSING if the file has no such time.
        flags: KEY and HIDDEN, uint8 (N,).
        durations: How long each frame is shown, int64 (N,); 0: unknown.
    """

    pts: np.ndarray
    dts: np.ndarray
    flags: np.ndarray
    durations: np.ndarray


def timeline_of(
    table: PacketTable,
    time_base: Fraction,
    *,
    ordered: bool = False,
    broken: str = "",
    rate: Fraction | None = None,
    overflows: bool = False,
) -> Timeline:
    """Build a timeline from a packet table.

    If presentation times are missing, frames are taken in order, at the decoding times. If decoding
    times are also missing, frames are taken at `rate` frames per second. If time stamps restart,
    time continues.

    Args:
        table: The packets.
        time_base: Seconds per tick.
        ordered: See `Timeline`.
        broken: See `Timeline`.
        rate: Frames per second, if the file states this rate.
        overflows: The container counts time in 33 bits (see `find_joins`).
    """
    pts, dts, flags, durations = table
    if _lacking(pts) or (ordered and not _lacking(dts)):  # times that FFmpeg guesses may be wrong
        ordered, pts = True, dts
    if _lacking(pts):
        step = float(1 / (rate or USUAL_RATE) / time_base)
        pts = np.round(np.arange(len(pts)) * step).astype(np.int64)
        dts = np.full(len(pts), MISSING)
    joins, shifts = find_joins(dts, time_base, overflows), None
    if len(joins):
        forward = np.diff(dts[dts != MISSING])
        shifts = shifts_of(joins, pts, dts, int(np.median(forward[forward > 0])))
        pts, dts = (np.where(t == MISSING, t, t + shifts) for t in (pts, dts))
    last_duration = int(durations[np.argmax(pts)]) if len(pts) else 0
    return Timeline(
        pts,
        dts,
        flags,
        time_base,
        ordered,
        max(0, last_duration),
        broken,
        shifts,
        tuple(joins.tolist()),
    )


# At most this share of packets may lack a time, as in a recording that begins in mid-stream.
MAX_MISSING_PTS = 0.05


def _lacking(ticks: np.ndarray) -> bool:
    return len(ticks) > 0 and bool(np.mean(ticks == MISSING) > MAX_MISSING_PTS)

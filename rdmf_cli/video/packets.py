"""The packet timeline: what a file holds, learned by demuxing alone, before anything is decoded."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition

from rdmf_cli.errors import RdmfError

from .formats import JOIN, is_list, looks_like_list, opener, options

LOCAL = "file:"  # keeps FFmpeg from reading a colon in a name as a protocol
MISSING = np.iinfo(np.int64).min
KEY, HIDDEN = 1, 2

# AVI stores no presentation times: FFmpeg guesses them, wrongly for H.264 with B-frames.
UNTIMED_CONTAINERS = {"avi"}
# No codec holds back more frames than this.
REORDERED_PACKETS = 16
USUAL_RATE = Fraction(25)  # where a file does not even tell its frame rate


@dataclass(frozen=True, eq=False)
class Timeline:
    """The packets of one video stream, in file order (which is decoding order).

    pts, dts: int64 (N,), ticks of `time_base`, MISSING where unknown
    flags:    uint8 (N,), KEY: decoding can begin here; HIDDEN: decoded but never shown (edit lists)
    ordered:  the file carries no presentation times; frames come in display order, and the k-th
              frame is shown at the k-th time of `shown`
    last_duration: ticks that the last frame is shown for, 0 where unknown
    broken:   how the file shows that it ends too early, empty if it does not
    """

    pts: np.ndarray
    dts: np.ndarray
    flags: np.ndarray
    time_base: Fraction
    ordered: bool = False
    last_duration: int = 0
    broken: str = ""

    def __len__(self) -> int:
        return len(self.pts)

    @cached_property
    def shown(self) -> np.ndarray:
        """Presentation times of the frames that are shown, ascending, int64 (F,)."""
        visible = (self.pts != MISSING) & (self.flags & HIDDEN == 0)
        return np.unique(self.pts[visible])

    @cached_property
    def keys(self) -> np.ndarray:
        """Positions of the packets where decoding can begin, ascending, int64 (K,)."""
        return np.flatnonzero((self.flags & KEY != 0) & (self.pts != MISSING))

    @cached_property
    def has_open_gops(self) -> bool:
        """Whether some frame is decoded after a key frame and shown before it."""
        later = np.lib.stride_tricks.sliding_window_view(
            np.pad(self.pts, (1, REORDERED_PACKETS), constant_values=np.iinfo(np.int64).max),
            REORDERED_PACKETS,
        )[2:]
        earliest = np.where(later == MISSING, np.iinfo(np.int64).max, later).min(axis=1)
        return bool(np.any(earliest[self.keys] < self.pts[self.keys]))

    @property
    def start(self) -> int:
        return int(self.shown[0])

    @property
    def end(self) -> int:
        """When the last frame stops being shown; at least a tick after it starts."""
        return int(self.shown[-1]) + max(1, self.last_duration or self.usual_step)

    @property
    def usual_step(self) -> int:
        """Median distance of two frames, in ticks; 0 for a single frame."""
        return int(np.median(np.diff(self.shown))) if len(self.shown) > 1 else 0

    @property
    def seconds(self) -> float:
        return float((self.end - self.start) * self.time_base)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """(container, its main video stream), as PyAV has them. Raises RdmfError."""
    container = _open(path)
    try:
        yield container, _video_stream(container, path)
    finally:
        container.close()


# From version 19 on PyAV replaces what is not UTF-8 in a title, and knows the option no more.
TITLES: dict[str, Any] = (
    {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
)


def _open(path: Path) -> Any:
    held: dict[str, Any] = {"options": options(path)}
    if is_list(path):
        held["io_open"] = opener(path)
    try:
        return av.open(f"{LOCAL}{path}", **held, **TITLES)
    except (FFmpegError, UnicodeError, PermissionError) as error:
        if looks_like_list(path):
            raise _refused_list(path, error) from error
        raise RdmfError(
            f"cannot be read as a video ({reason(error)})",
            path,
            "check that it plays elsewhere and that it was copied or downloaded to its end",
        ) from error


def _refused_list(path: Path, error: Exception) -> RdmfError:
    if is_list(path):
        what = f"this list of other files cannot be read ({reason(error)})"
        return RdmfError(what, path, "keep all that it names in its own folder")
    what = "is a list of other files (or is named as one), though its name ends like a video's"
    return RdmfError(what, path, JOIN)


def reason(error: Exception) -> str:
    """What FFmpeg says, as a clause."""
    text = getattr(error, "strerror", None) or str(error)
    return text[0].lower() + text[1:]


def _video_stream(container: Any, path: Path) -> Any:
    streams = [s for s in container.streams.video if not _is_cover(s)]
    if not streams:
        kinds = {s.type for s in container.streams}
        held = "only sound" if "audio" in kinds else "no pictures"
        raise RdmfError(f"holds {held}, no video stream", path, "name a file that has a picture")
    return max(streams, key=lambda s: s.codec_context is not None and s.width * s.height)


def _is_cover(stream: Any) -> bool:
    """Cover art of a music file is a video stream of one picture."""
    return bool(stream.disposition & Disposition.attached_pic)


def packets(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets in file order, without empty ones: those would end the decoding."""
    return (p for p in container.demux(stream) if p.size)


def read_timeline(container: Any, stream: Any) -> Timeline:
    """Demux a freshly opened file to its end; damage ends the reading and is noted."""
    pts, dts, flags = array("q"), array("q"), array("B")
    latest, last_duration, broken = MISSING, 0, _odd_end(container)
    packet = None
    try:
        for packet in packets(container, stream):
            pts.append(_known(packet.pts))
            dts.append(_known(packet.dts))
            flags.append(KEY * packet.is_keyframe | HIDDEN * packet.is_discard)
            if pts[-1] > latest:
                latest, last_duration = pts[-1], packet.duration or 0
        if packet is not None and packet.is_corrupt:
            broken = "the last packet is incomplete"
    except FFmpegError as error:
        broken = f"the file cannot be read further ({reason(error)})"
    return timeline_of(
        *(np.asarray(column) for column in (pts, dts, flags)),
        time_base=Fraction(stream.time_base),  # PyAV 19 gives a type that rounds products
        ordered=container.format.name in UNTIMED_CONTAINERS,
        last_duration=last_duration,
        broken=broken,
        rate=stream.average_rate and Fraction(stream.average_rate),
    )


TRANSPORT_PACKET, SYNC_BYTE = 188, 0x47  # ISO/IEC 13818-1; disc and broadcast add some bytes


def _odd_end(container: Any) -> str:
    """A transport stream states no duration, but it should end with a whole packet."""
    if container.format.name != "mpegts":
        return ""
    with open(container.name.removeprefix(LOCAL), "rb") as file:
        head = file.read(TRANSPORT_PACKET + 1)
    plain = head[0] == head[-1] == SYNC_BYTE
    odd = plain and container.size % TRANSPORT_PACKET
    return "the file ends inside a transport packet" if odd else ""


def _known(ticks: int | None) -> int:
    return MISSING if ticks is None else ticks


def timeline_of(
    pts: np.ndarray,
    dts: np.ndarray,
    flags: np.ndarray,
    *,
    time_base: Fraction,
    ordered: bool = False,
    last_duration: int = 0,
    broken: str = "",
    rate: Fraction | None = None,
) -> Timeline:
    """A timeline from columns of packets, (N,) each, MISSING where a file does not tell.

    Where presentation times are missing, the frames are taken in order, at the decoding times or,
    where those are missing too, `rate` frames a second.
    """
    if _lacking(pts):
        ordered, pts = True, dts
    if _lacking(pts):
        step = float(1 / (rate or USUAL_RATE) / time_base)
        pts = np.round(np.arange(len(pts)) * step).astype(np.int64)
    return Timeline(pts, dts, flags, time_base, ordered, max(0, last_duration), broken)


# A recording begun in mid-stream lacks a few times; that is no reason to give up the others.
BEARABLE_LACK = 0.05


def _lacking(ticks: np.ndarray) -> bool:
    return len(ticks) > 0 and bool(np.mean(ticks == MISSING) > BEARABLE_LACK)

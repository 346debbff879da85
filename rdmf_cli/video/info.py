"""What a video file is: opened, demuxed, its first frame decoded; problems said in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rdmf_cli.errors import RdmfError

from .holes import hole_warnings
from .timeline import Timestamp

if TYPE_CHECKING:
    from .packets import Timeline


@dataclass(frozen=True)
class Clock:
    """A player's clock, which counts from the earliest of a file's streams, in seconds.

    begins:   when the first picture is shown
    duration: how long the file lasts with its sound; None: as long as its pictures
    """

    begins: float = 0.0
    duration: float | None = None


@dataclass(frozen=True)
class VideoInfo:
    """A video file, as its packets tell.

    duration:   seconds, from the first frame's time to the end of the last frame
    clock:      how a player counts: from the start of the file, which the sound may come before
    width, height: pixels as displayed, after rotation and pixel shape
    rotation:   degrees clockwise that were applied to stand upright: 0, 90, 180, 270
    frame_rate: frames a second on average
    start:      time of the first frame in the file; frame times are counted from it
    n_packets:  packets of the video stream, n_frames: those that show a frame
    warnings:   what is odd about the file, a sentence each
    """

    path: Path
    duration: float
    width: int
    height: int
    rotation: int
    frame_rate: float
    codec: str
    container: str
    start: Timestamp
    n_packets: int
    n_frames: int
    has_audio: bool
    warnings: tuple[str, ...] = ()
    clock: Clock = Clock()


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Look at a video file without decoding more than its first frame.

    Raises RdmfError where it cannot be read, holds no video, or its codec is unknown.

    >>> probe("talk.mp4").duration          # doctest: +SKIP
    139.4
    """
    from .decoders import scan

    return scan(checked_file(path)).info


def checked_file(path: str | os.PathLike[str]) -> Path:
    """The path, if it is a file that can be read and holds something. Raises RdmfError."""
    path = Path(path)
    try:
        if path.is_dir():
            raise RdmfError("is a directory, not a video file", path, "name a file inside it")
        if path.exists() and not path.is_file():
            raise RdmfError("is no regular file", path, "save what it gives to a file first")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise RdmfError("no such file", path, "check the name and the folder") from None
    except PermissionError:
        raise RdmfError(
            "no permission to read this file", path, f"ask its owner, or: chmod u+r '{path}'"
        ) from None
    except (OSError, ValueError) as error:
        raise RdmfError(f"cannot be opened ({error})", path, "check the name") from error
    if empty:
        raise RdmfError("is empty (0 bytes)", path, "copy or download it again")
    return path


class Claims(NamedTuple):
    """The durations a header states, in seconds: of the whole file, and of the video stream.

    alone: the file holds nothing but the video stream
    """

    whole: float | None
    stream: float | None
    alone: bool


# A header may round; sound may outlast the picture a little, but not so much.
TOLERANCE_SECONDS, TOLERANCE_SHARE = 1.5, 0.02
ABSURDLY_LONGER = 3


def header_warnings(claims: Claims, timeline: Timeline) -> tuple[str, ...]:
    """Sentences on where header and packets disagree, or frames or the end are lacking."""
    found, seconds = [], timeline.seconds
    if timeline.broken:
        found.append(
            f"{timeline.broken}, after {seconds:.1f} s of video (the file may be cut short)"
        )
    if timeline.joins:
        found.append(_joined(len(timeline.joins)))
    else:  # the header of joined recordings is that of the first
        found += [_odd_claim(claim, seconds) for claim in _odd_claims(claims, timeline)]
    return (*found[:2], *hole_warnings(timeline))


def _joined(count: int) -> str:
    often = "once" if count == 1 else f"{count} times"
    return (
        f"its times start anew {often}, as where recordings are joined end to end; "
        "time goes on from the last frame"
    )


def _odd_claim(claim: float, seconds: float) -> str:
    hint = "the file may be cut short" if claim > seconds else "the header is wrong"
    return (
        f"the header says {claim:.1f} s, the packets last {seconds:.1f} s ({hint}); "
        "the packets are believed"
    )


def _odd_claims(claims: Claims, timeline: Timeline) -> Iterator[float]:
    """The claims that the packets do not bear out, the stream's own first."""
    if claims.stream is not None and not _agrees(claims.stream, timeline):
        yield claims.stream
    if claims.whole is None or _agrees(claims.whole, timeline):
        return
    if claims.alone or not 0 <= claims.whole <= ABSURDLY_LONGER * timeline.seconds + 60:
        yield claims.whole


def _agrees(claim: float, timeline: Timeline) -> bool:
    """Some containers count from zero, others from the first frame."""
    from_zero = float(timeline.end * timeline.time_base)
    tolerance = TOLERANCE_SECONDS + TOLERANCE_SHARE * timeline.seconds
    return min(abs(claim - timeline.seconds), abs(claim - from_zero)) <= tolerance


def remedy(timeline: Timeline) -> str:
    """What to do about a file of which nothing decodes: a new copy helps only one that is cut."""
    if timeline.broken:
        return "copy or download it again"
    return "check that it plays elsewhere, and convert it: ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4"


# A start that lies further before all sound and pictures is a damaged number.
EARLIEST_SECONDS = 3600


def clock_of(start: float | None, claimed: float | None, timeline: Timeline) -> Clock:
    """The player's clock of a file.

    start, claimed: when the container starts, and how long it lasts, by its header; seconds
    """
    first = float(timeline.begin * timeline.time_base)
    end = first + timeline.seconds
    earliest = min([first, *(float(begin) for begin, _ in timeline.sounds)])
    if start is None or earliest - start > EARLIEST_SECONDS:
        start = earliest
    start = min(start, first)
    duration = end - start
    if timeline.sounds and not timeline.joins:
        sounding = max(end, *(float(stop) for _, stop in timeline.sounds)) - start
        # A damaged time may make the sound last for days: the header decides.
        believed = duration if claimed is None else claimed
        tolerance = 0 if claimed is not None else ABSURDLY_LONGER * duration + 60
        if abs(sounding - believed) <= max(tolerance, abs(duration - believed)):
            duration = sounding
    return Clock(first - start, duration)


def average_rate(timeline: Timeline) -> float:
    """Frames a second."""
    return len(timeline.shown) / timeline.seconds

"""The properties of a video file, and warnings about unusual properties."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rdmf_cli.errors import MissingFileError, RdmfError
from rdmf_cli.video.holes import hole_warnings
from rdmf_cli.video.timeline import Timestamp

if TYPE_CHECKING:
    from rdmf_cli.video.packets import Timeline


@dataclass(frozen=True)
class Clock:
    """The time axis of a player, which starts with the earliest stream of the file.

    Attributes:
        begins: When the first picture is shown, in seconds.
        duration: Length of the file with its sound, in seconds; None: the length of the
            video stream.
    """

    begins: float = 0.0
    duration: float | None = None


@dataclass(frozen=True)
class VideoInfo:
    """The properties of a video file, measured from its packets.

    Attributes:
        path: The file.
        duration: Seconds from the start of the first frame to the end of the last frame.
        width: Pixels as displayed, after rotation and with square pixels.
        height: Pixels as displayed, after rotation and with square pixels.
        rotation: Clockwise rotation that makes stored pictures upright: 0, 90, 180 or 270 degrees.
        frame_rate: Frames per second, on average.
        codec: FFmpeg's name of the codec.
        container: FFmpeg's name of the file format.
        start: Time stamp of the first frame in the file. Frame times are counted from this time.
        n_packets: Number of packets of the video stream.
        n_frames: Number of frames that are shown.
        has_audio: Whether the file has a sound track.
        warnings: Sentences on the unusual properties of the file, one per property.
        clock: The time axis of a player. If sound starts before the pictures, the time axis starts
            with the sound.
        recorded: When the recording began, by the file's metadata; None: unknown.
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
    recorded: datetime | None = None


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Read the properties of a video file; only its first frame is decoded.

    >>> probe("talk.mp4").duration          # doctest: +SKIP
    139.4

    Raises:
        RdmfError: The file cannot be read, contains no video, or has an unknown codec.
    """
    from rdmf_cli.video.decoders import scan

    return scan(checked_file(path)).info


def checked_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file, after a check that the file is readable and not empty.

    Raises:
        RdmfError: The file does not exist, cannot be read, or is empty.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise RdmfError("is a folder, not a video file", path, "name a file inside it")
        if path.exists() and not path.is_file():
            raise RdmfError("is not a regular file", path, "save its content to a file first")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise MissingFileError("no such file", path, "check the name and the folder") from None
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
    """The durations that a file's header states.

    Attributes:
        whole: Duration of the whole file in seconds; None: not stated.
        stream: Duration of the video stream in seconds; None: not stated.
        alone: Whether the file contains only the video stream.
    """

    whole: float | None
    stream: float | None
    alone: bool


# Header and packets agree up to this difference: headers round, and some are a frame off.
TOLERANCE_SECONDS, TOLERANCE_SHARE = 0.25, 0.02
ABSURDLY_LONGER = 3
STANDS_STILL = 16  # frames at one time


def header_warnings(claims: Claims, timeline: Timeline) -> tuple[str, ...]:
    """Return warnings if header and packets disagree, or if frames or the end are missing."""
    found, seconds = [], timeline.seconds
    if timeline.broken:
        found.append(
            f"{timeline.broken}, after {seconds:.1f} s of video (the file may be cut short)"
        )
    if timeline.most_at_once >= STANDS_STILL:
        found.append(
            f"{timeline.most_at_once} of its frames have the same time, and one of them is used; "
            "in MXF, this happens in recordings joined end to end"
        )
    if timeline.joins:
        found.append(_joined(len(timeline.joins)))
    else:  # the header of joined recordings describes only the first recording
        found += [_odd_claim(claim, seconds) for claim in _odd_claims(claims, timeline)]
    return (*list(dict.fromkeys(found))[:2], *hole_warnings(timeline))


def _joined(count: int) -> str:
    often = "once" if count == 1 else f"{count} times"
    return (
        f"its time stamps restart {often}, as in recordings joined end to end; "
        "time continues from the last frame"
    )


def _odd_claim(claim: float, seconds: float) -> str:
    hint = "the file may be cut short" if claim > seconds else "the header is wrong"
    return (
        f"the header states {claim:.1f} s, the packets last {seconds:.1f} s ({hint}); "
        "rdmf uses the packets"
    )


def _odd_claims(claims: Claims, timeline: Timeline) -> Iterator[float]:
    """Return stated durations that differ from the packets; the stream's duration comes first."""
    if claims.stream is not None and not _agrees(claims.stream, timeline):
        yield claims.stream
    if claims.whole is None or _agrees(claims.whole, timeline):
        return
    if claims.alone or not 0 <= claims.whole <= ABSURDLY_LONGER * timeline.seconds + 60:
        yield claims.whole


def _agrees(claim: float, timeline: Timeline) -> bool:
    """Return whether the packets last as long as stated (some containers count from time 0)."""
    from_zero = float(timeline.end * timeline.time_base)
    tolerance = TOLERANCE_SECONDS + TOLERANCE_SHARE * timeline.seconds
    return min(abs(claim - timeline.seconds), abs(claim - from_zero)) <= tolerance


def remedy(timeline: Timeline) -> str:
    """Return advice for a file that cannot be decoded; a new copy helps if its end is missing."""
    if timeline.broken:
        return "copy or download it again"
    return "check that it plays elsewhere, and convert it: ffmpeg -i INPUT -c:v libx264 OUTPUT.mp4"


# A start time that is earlier than all sound and pictures by more than this is damaged.
EARLIEST_SECONDS = 3600


def clock_of(start: float | None, claimed: float | None, timeline: Timeline) -> Clock:
    """Work out the time that a player shows.

    Args:
        start: Start time of the container by its header, in seconds; None: not stated.
        claimed: Duration of the container by its header, in seconds; None: not stated.
        timeline: The packets.
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
        # By a damaged time stamp, the sound may last for days; so the header decides.
        believed = duration if claimed is None else claimed
        tolerance = 0 if claimed is not None else ABSURDLY_LONGER * duration + 60
        if abs(sounding - believed) <= max(tolerance, abs(duration - believed)):
            duration = sounding
    return Clock(first - start, duration)


def average_rate(timeline: Timeline) -> float:
    """Return the average number of frames per second."""
    return len(timeline.shown) / timeline.seconds

"""Read off a video what an editor has to know: frame rate, start time code, size, sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from rdmf_cli.handover.rates import editing_rate, frame_rate_of
from rdmf_cli.handover.timecode import Counting, can_drop
from rdmf_cli.handover.timeline import Source
from rdmf_cli.video.decoders import scan
from rdmf_cli.video.decoders.base import Scan
from rdmf_cli.video.info import checked_file
from rdmf_cli.video.packets import opened
from rdmf_cli.video.timeline import exact


class _Told(NamedTuple):
    """What a file says of itself.

    rates:    frames per second, as the container and its pictures have them
    code:     the time code of its first frame; empty where there is none
    channels: of the first sound track, 0 where there is none
    samples:  per second
    """

    rates: tuple[Fraction | None, ...]
    code: str
    channels: int
    samples: int


def source_of(path: str | Path) -> Source:
    """Look through a video file as an editor does.

    Raises:
        RdmfError: It cannot be read, or holds no video.
    """
    path = checked_file(path)
    return source_of_scan(scan(path))


def source_of_scan(found: Scan) -> Source:
    """Describe a video that was looked through already."""
    path, timeline, info = found.info.path, found.timeline, found.info
    told = _told(path)
    rate = frame_rate_of(timeline.shown, timeline.time_base, told.rates)
    edited = editing_rate(timeline.shown, timeline.time_base, rate)
    counting = Counting(edited, drop=_drops(told.code) and can_drop(edited))
    seconds = (timeline.end - timeline.start) * timeline.time_base
    return Source(
        path=path,
        counting=counting,
        start=_start(told.code, counting),
        frames=max(1, round(seconds * edited)),
        begins=exact(info.clock.begins),
        width=info.width,
        height=info.height,
        sound_channels=told.channels,
        sound_rate=told.samples,
        varies=rate is None,
    )


def _told(path: Path) -> _Told:
    with opened(path) as (container, stream):
        rates = (stream.guessed_rate, stream.average_rate)
        sounds = [s.codec_context for s in container.streams.audio if s.codec_context]
        return _Told(
            tuple(Fraction(rate) if rate else None for rate in rates),
            _time_code(container, stream),
            sounds[0].channels if sounds else 0,
            sounds[0].sample_rate if sounds else 0,
        )


def _time_code(container: Any, stream: Any) -> str:
    """Find the time code of the first frame: the picture's, its track's (`tmcd`), or the file's."""
    others = (other for other in container.streams if other.type == "data")
    for holder in (stream, *others, container):
        tags = {name.lower(): value for name, value in holder.metadata.items()}
        if tags.get("timecode"):
            return str(tags["timecode"])
    return ""


def _drops(code: str) -> bool:
    """Whether a time code is written as a drop-frame one: 01:00:00;00."""
    return any(mark in code for mark in ";.")


def _start(code: str, counting: Counting) -> int:
    """Count to the first frame; 0 where a file has no time code, or none of its rate."""
    try:
        return counting.frame_of(code)
    except ValueError:
        return 0

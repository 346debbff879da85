"""The properties of a video that editors need: frame rate, start time code, size, sound."""

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


class _Stated(NamedTuple):
    """Properties that the headers of a file state.

    Attributes:
        rates: Frames per second as the pictures state it, and as the container states it.
        code: The time code of the first frame; "": none.
        channels: Channels of the first sound track; 0: no sound.
        samples: Samples per second; 0: no sound.
    """

    rates: tuple[Fraction | None, ...]
    code: str
    channels: int
    samples: int


def source_of(path: str | Path) -> Source:
    """Read the properties of a video file that editors need.

    Raises:
        RdmfError: The file cannot be read, or contains no video.
    """
    path = checked_file(path)
    return source_of_scan(scan(path))


def source_of_scan(found: Scan) -> Source:
    """Return the properties that editors need, from the scan of a video."""
    path, timeline, info = found.info.path, found.timeline, found.info
    stated = _stated(path)
    rate = frame_rate_of(timeline.shown, timeline.time_base, stated.rates)
    edited = editing_rate(timeline.shown, timeline.time_base, rate)
    counting = Counting(edited, drop=_drops(stated.code) and can_drop(edited))
    seconds = (timeline.end - timeline.start) * timeline.time_base
    return Source(
        path=path,
        counting=counting,
        start=_start(stated.code, counting),
        frames=max(1, round(seconds * edited)),
        begins=exact(info.clock.begins),
        width=info.width,
        height=info.height,
        sound_channels=stated.channels,
        sound_rate=stated.samples,
        varies=rate is None,
    )


def _stated(path: Path) -> _Stated:
    with opened(path) as (container, stream):
        rates = (stream.guessed_rate, stream.average_rate)
        sounds = [s.codec_context for s in container.streams.audio if s.codec_context]
        return _Stated(
            tuple(Fraction(rate) if rate else None for rate in rates),
            _time_code(container, stream),
            sounds[0].channels if sounds else 0,
            sounds[0].sample_rate if sounds else 0,
        )


def _time_code(container: Any, stream: Any) -> str:
    """Find the time code of the first frame, in the pictures, a `tmcd` track, or the file."""
    others = (other for other in container.streams if other.type == "data")
    for holder in (stream, *others, container):
        tags = {name.lower(): value for name, value in holder.metadata.items()}
        if tags.get("timecode"):
            return str(tags["timecode"])
    return ""


def _drops(code: str) -> bool:
    """Return whether a time code has the form of a drop-frame time code: 01:00:00;00."""
    return any(mark in code for mark in ";.")


def _start(code: str, counting: Counting) -> int:
    """Return the number of the first frame by its time code; 0 if the code is not valid."""
    try:
        return counting.frame_of(code)
    except ValueError:
        return 0

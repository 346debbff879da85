"""Subtitle tracks inside a video file, read by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from rdmf_cli.errors import RdmfError
from rdmf_cli.features.said.files import Kind, kind_of
from rdmf_cli.features.said.lines import MOST_LINES, Said, tidied

TEXT_CODECS: Final = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text"})
"""FFmpeg's names of the codecs whose subtitles are text. Other codecs hold pictures of text."""

MICROSECONDS: Final = 1_000_000
SHOWN_FOR: Final = 3.0
"""A subtitle without a length counts as shown for this many seconds."""

FIELDS_BEFORE_TEXT: Final = 8
"""Number of fields before the text of an ASS line from FFmpeg: order, layer, style, name, …"""


def read_container(path: Path) -> Said:
    """Read the best text track of a video file. If there is no text track, there are no lines.

    An English track is preferred, then a track without a stated language. A track of forced
    subtitles (which translate only foreign speech) is the last choice.

    Raises:
        RdmfError: The file cannot be read as a video.
    """
    from rdmf_cli.video.packets import opened

    with opened(path) as (container, _):
        tracks = [track for track in container.streams.subtitles if _is_text(track)]
        if not tracks:
            return Said()
        track = min(tracks, key=_rank)
        lines = tidied(_lines(container, track))
        number = list(container.streams.subtitles).index(track) + 1
    return Said(lines, f"subtitle track {number} of {path.name}") if lines else Said()


def _is_text(track: Any) -> bool:
    return track.codec_context is not None and track.codec_context.name in TEXT_CODECS


def _rank(track: Any) -> tuple[Kind, bool]:
    from av.stream import Disposition

    forced = bool(track.disposition & Disposition.forced)
    title = str(track.metadata.get("title", "")).lower()
    kind = kind_of([track.language or ""], forced or "forced" in title)
    return kind, not track.disposition & Disposition.default


def _lines(container: Any, track: Any) -> Iterator[tuple[float, float, str]]:
    """Yield start, end and text of each subtitle. If the file is damaged, stop there."""
    from av.error import FFmpegError

    from rdmf_cli.video.packets import packets

    first = Fraction(container.start_time or 0, MICROSECONDS)
    tick = Fraction(track.time_base)
    try:
        for number, packet in enumerate(packets(container, track)):
            if number >= MOST_LINES:
                return
            if packet.pts is None:
                continue
            start = packet.pts * tick - first
            length = packet.duration * tick if packet.duration else SHOWN_FOR
            for text in _texts(packet):
                yield float(start), float(start + length), text
    except (FFmpegError, RdmfError):
        return


def _texts(packet: Any) -> list[str]:
    from av.error import FFmpegError

    try:
        found = packet.decode()
    except (FFmpegError, UnicodeDecodeError):  # one damaged subtitle
        return []
    rects = [rect for one in found for rect in (getattr(one, "rects", None) or [one])]
    return [_text(rect) for rect in rects if getattr(rect, "ass", None)]


def _text(rect: Any) -> str:
    ass = rect.ass
    line = ass.decode("utf-8", errors="replace") if isinstance(ass, bytes) else str(ass)
    return line.split(",", FIELDS_BEFORE_TEXT)[-1]

"""CMX3600 edit decision lists (EDL). Every editing program can open an EDL.

An EDL has one frame rate and one line per event with four time codes: in-point and out-point in
the source video, and in-point and out-point on the timeline. Out-points are exclusive. All other
information is in comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rdmf_cli.errors import UsageError
from rdmf_cli.handover.timeline import Event, Source, Timeline
from rdmf_cli.text import one_line

REEL_LENGTH = 8
CHANNELS = {0: "V", 1: "B", 2: "AA/V"}  # by number of sound channels; an EDL has at most two
SPECIAL_REELS = {"AX", "BL", "BLACK", "BARS"}  # reserved names


def edl_text(timeline: Timeline) -> str:
    """Write a timeline as an EDL.

    Raises:
        UsageError: The videos of the timeline have different frame rates.
    """
    _require_one_rate(timeline)
    reels = _reels(timeline.sources)
    drop = timeline.counting.drop
    lines = [f"TITLE: {timeline.title}", _frame_code_mode(drop)]
    for number, event in enumerate(timeline.events, 1):
        if event.source.counting.drop != drop:
            drop = event.source.counting.drop
            lines.append(_frame_code_mode(drop))
        lines += ["", *_event_lines(number, event, timeline, reels[event.source])]
    return "\n".join(lines) + "\n"


def _require_one_rate(timeline: Timeline) -> None:
    rates = sorted({source.rate for source in timeline.sources})
    if len(rates) > 1:
        found = ", ".join(f"{float(rate):.6g}" for rate in rates)
        raise UsageError(
            f"an EDL has one frame rate, and these videos have {len(rates)} ({found})",
            "edl",
            "write one file per video (-o '{stem}.edl'), or choose otio or fcpxml",
        )


def _frame_code_mode(drop: bool) -> str:
    return f"FCM: {'' if drop else 'NON-'}DROP FRAME"


def _event_lines(number: int, event: Event, timeline: Timeline, reel: str) -> Iterator[str]:
    count, begin = timeline.counting, timeline.start + event.at
    record = f"{count.code(begin)} {count.code(begin + event.length)}"
    channels = CHANNELS[min(event.source.sound_channels, 2)]
    yield f"{number:03d}  {reel:<8} {channels:<4}  C        {' '.join(event.codes)} {record}"
    yield f"* FROM CLIP NAME: {one_line(event.source.path.name)}"
    yield f"* SOURCE FILE: {one_line(str(event.source.path.absolute()))}"
    yield f"* COMMENT: {event.label}"
    yield f"* LOC: {count.code(begin)} RED     {event.label}"


def _reels(sources: tuple[Source, ...]) -> dict[Source, str]:
    """Give each video a unique reel name: up to eight letters and digits of its file name."""
    reels: dict[Source, str] = {}
    for source in sources:
        letters = re.sub("[^A-Z0-9]", "", source.path.stem.upper())
        name = letters[:REEL_LENGTH] or "VIDEO"
        taken, number = {*reels.values(), *SPECIAL_REELS}, 1
        while name in taken:
            number += 1
            name = f"{letters[: REEL_LENGTH - len(str(number))]}{number}"
        reels[source] = name
    return reels

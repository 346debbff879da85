"""Chapters: as lines for a YouTube description, and as FFmpeg's metadata file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rdmf_cli.handover.pieces import Found, moments_of, pieces, without_gaps
from rdmf_cli.moments.types import Answer
from rdmf_cli.text import clock, one_line

SHORTEST = 10  # seconds; YouTube shows no shorter chapters
FIRST, BETWEEN = "Start", "Other"  # titles of what is no moment
NO_ANGLES = str.maketrans("<>", "\uff1c\uff1e")
"""A description on YouTube may hold no angle brackets; those of full width it may."""


def youtube_chapters(answers: Sequence[Answer]) -> str:
    """Write a chapter per moment of one video, as YouTube reads them from a description.

    The first begins at 0:00 and each lasts ten seconds or more, by YouTube's rules: a moment that
    begins too soon after a better one, or too close to the end, gets no chapter of its own.
    (YouTube shows chapters where there are three or more.)
    """
    if not answers:
        return ""
    starts = _chapter_starts(answers)
    lines = [f"{clock(start, 0)} {starts[start]}" for start in sorted(starts)]
    return "\n".join(lines) + "\n"


def _chapter_starts(answers: Sequence[Answer]) -> dict[int, str]:
    """Title of each chapter by the second at which it begins."""
    last = int(max(answer.duration for answer in answers)) - SHORTEST
    best = sorted(moments_of(answers), key=lambda pair: -pair[0].score)
    starts: dict[int, str] = {}
    ends: list[int] = []
    for moment, answer in best:
        start = round(moment.start)
        start = start if start >= SHORTEST else 0
        if start <= max(last, 0) and _is_free(start, starts):
            starts[start] = one_line(answer.query).translate(NO_ANGLES)
            ends.append(max(round(moment.end), start + SHORTEST))
    for end in ends:
        if end <= last and _is_free(end, starts) and not _covers(best, end):
            starts[end] = BETWEEN
    starts.setdefault(0, FIRST)
    return starts


def _is_free(start: int, starts: dict[int, str]) -> bool:
    return all(abs(start - other) >= SHORTEST for other in starts)


def _covers(found: Sequence[Found], second: int) -> bool:
    """Whether some moment is on at a second."""
    return any(moment.start <= second < round(moment.end) for moment, _ in found)


def ffmetadata(answers: Sequence[Answer]) -> str:
    """Write the moments of one video as chapters for `ffmpeg -i VIDEO -i FILE -map_chapters 1`.

    The chapters follow one another without gaps or overlaps, each with its end: FFmpeg drops the
    title of a chapter without one, and MP4 has no gaps between chapters.
    """
    duration = max((answer.duration for answer in answers), default=0.0)
    lines = [";FFMETADATA1"]
    for piece in without_gaps(pieces(moments_of(answers)), duration):
        titles = [f"#{m.rank} {one_line(a.query)} ({m.score:.2f})" for m, a in piece.found]
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={piece.start}", f"END={piece.end}"]
        lines.append(f"title={_escaped(' / '.join(titles) or BETWEEN)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text in which FFmpeg's metadata reader finds no signs of its own."""
    return re.sub(r"([=;#\\])", r"\\\1", text)

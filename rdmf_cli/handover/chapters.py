"""Chapters: as lines for a YouTube description, and as FFmpeg's metadata file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rdmf_cli.handover.pieces import Found, moments_of, pieces, without_gaps
from rdmf_cli.handover.timeline import label_of
from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.text import clock, one_line

SHORTEST = 10  # seconds; YouTube shows no shorter chapters
FIRST, BETWEEN = "Start", "Other"  # titles of what is no moment
NO_ANGLES = str.maketrans("<>", "\uff1c\uff1e")
"""A description on YouTube may hold no angle brackets; those of full width it may."""


def youtube_chapters(answers: Sequence[Answer]) -> str:
    """Write a chapter per moment of one video, as YouTube reads them from a description.

    The first begins at 0:00 and each lasts ten seconds or more, by YouTube's rules: a moment that
    overlaps a better one, begins too soon after one, or too close to the end, gets no chapter.
    (YouTube shows chapters where there are three or more.)
    """
    if not answers:
        return ""
    titles = _titles(answers)
    return "".join(f"{clock(start, 0)} {titles[start]}\n" for start in sorted(titles))


def _titles(answers: Sequence[Answer]) -> dict[int, str]:
    """Title of each chapter by the second at which it begins."""
    last = int(max(answer.duration for answer in answers)) - SHORTEST
    kept: list[Found] = []
    titles: dict[int, str] = {}
    for moment, answer in sorted(moments_of(answers), key=lambda pair: -pair[0].score):
        start = _start_of(moment)
        apart = not any(moment.start < m.end and m.start < moment.end for m, _ in kept)
        if apart and start <= max(last, 0) and _is_free(start, titles):
            titles[start] = one_line(answer.query).translate(NO_ANGLES)
            kept.append((moment, answer))
    titles.setdefault(0, FIRST)
    for moment, _ in kept:
        end = max(round(moment.end), _start_of(moment) + SHORTEST)
        if end <= last and _is_free(end, titles):
            titles[end] = BETWEEN
    return titles


def _start_of(moment: Moment) -> int:
    """Where the chapter of a moment begins: the first chapter begins with the video."""
    start = round(moment.start)
    return start if start >= SHORTEST else 0


def _is_free(start: int, titles: dict[int, str]) -> bool:
    return all(abs(start - other) >= SHORTEST for other in titles)


def ffmetadata(answers: Sequence[Answer]) -> str:
    """Write the moments of one video as chapters for `ffmpeg -i VIDEO -i FILE -map_chapters 1`.

    The chapters follow one another without gaps or overlaps, each with its end: FFmpeg drops the
    title of a chapter without one, and MP4 has no gaps before or between chapters.
    """
    duration = max((answer.duration for answer in answers), default=0.0)
    lines = [";FFMETADATA1"]
    for piece in without_gaps(pieces(moments_of(answers)), duration):
        titles = [label_of(moment, answer.query) for moment, answer in piece.found]
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={piece.start}", f"END={piece.end}"]
        lines.append(f"title={_escaped(' / '.join(titles) or BETWEEN)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text in which FFmpeg's metadata reader finds no signs of its own."""
    return re.sub(r"([=;#\\])", r"\\\1", text)

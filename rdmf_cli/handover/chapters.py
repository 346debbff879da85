"""Chapters, as lines for a description on YouTube and as a metadata file of FFmpeg."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rdmf_cli.handover.pieces import Found, moments_of, pieces, without_gaps
from rdmf_cli.handover.timeline import label_of
from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.text import clock, one_line

SHORTEST = 10  # seconds; YouTube shows no shorter chapters
FIRST, BETWEEN = "Start", "Other"  # titles of chapters without a moment
NO_ANGLES = str.maketrans("<>", "\uff1c\uff1e")
"""Full-width forms of angle brackets; YouTube forbids the ordinary forms in a description."""


def youtube_chapters(answers: Sequence[Answer]) -> str:
    """Write one chapter per moment, one per line, for the description of a video on YouTube.

    YouTube's rules: the first chapter begins at 0:00, and each lasts ten seconds or more. So a
    moment gets no chapter if it overlaps a better moment, begins too soon after a chapter, or too
    close to the end. (YouTube shows chapters only if there are at least three.)

    Args:
        answers: The answers on one video.
    """
    if not answers:
        return ""
    titles = _titles(answers)
    return "".join(f"{clock(start, 0)} {titles[start]}\n" for start in sorted(titles))


def _titles(answers: Sequence[Answer]) -> dict[int, str]:
    """Return the titles of the chapters by the start of each chapter in seconds."""
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
    """Return the start of a moment's chapter in seconds; an early chapter begins with the video."""
    start = round(moment.start)
    return start if start >= SHORTEST else 0


def _is_free(start: int, titles: dict[int, str]) -> bool:
    return all(abs(start - other) >= SHORTEST for other in titles)


def ffmetadata(answers: Sequence[Answer]) -> str:
    """Write the moments of one video as chapters for `ffmpeg -i VIDEO -i FILE -map_chapters 1`.

    Chapters do not overlap, and there are no gaps before or between them, as in MP4. Each chapter
    has an end, because FFmpeg drops the title of a chapter without an end.

    Args:
        answers: The answers on one video.
    """
    duration = max((answer.duration for answer in answers), default=0.0)
    lines = [";FFMETADATA1"]
    for piece in without_gaps(pieces(moments_of(answers)), duration):
        titles = [label_of(moment, answer.query) for moment, answer in piece.found]
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={piece.start}", f"END={piece.end}"]
        lines.append(f"title={_escaped(' / '.join(titles) or BETWEEN)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Escape the characters that have a meaning in FFmpeg's metadata files."""
    return re.sub(r"([=;#\\])", r"\\\1", text)

"""Write moments as subtitles that a player shows over the video: SRT and WebVTT."""

from __future__ import annotations

from collections.abc import Sequence

from rdmf_cli.handover.pieces import moments_of, pieces
from rdmf_cli.handover.timeline import label_of
from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.outputs.one_video import OneVideoWriter
from rdmf_cli.text import time_code

SHORTEST = 0.001  # seconds; players skip a cue of length 0


UNMARKED = str.maketrans("<>{}\\", "\uff1c\uff1e\uff5b\uff5d\uff3c")
"""Full-width forms of characters of markup. Players read `<i>`, `{\\an8}` and `\\N` in SubRip as
markup, and SubRip has no way to escape markup."""


def srt_text(answers: Sequence[Answer]) -> str:
    """Write SubRip: numbered cues in order of time; no two cues overlap.

    If moments overlap, one cue names all moments at that time, one per line. The reason: players of
    SubRip show one cue at a time, or stack overlapping cues in any order. Characters that players
    read as markup are replaced by their full-width forms.
    """
    cues = []
    for number, piece in enumerate(pieces(moments_of(answers)), 1):
        times = f"{_code(piece.start, ',')} --> {_code(piece.end, ',')}"
        labels = [
            label_of(moment, answer.query).translate(UNMARKED) for moment, answer in piece.found
        ]
        cues.append("\n".join([str(number), times, *labels]) + "\n\n")
    return "".join(cues)


def vtt_text(answers: Sequence[Answer]) -> str:
    """Write WebVTT: one cue per moment in order of time; cues may overlap.

    The text of a cue is markup, so `&`, `<` and `>` are escaped.
    """
    cues = ["WEBVTT\n\n"]
    for moment, answer in moments_of(answers):
        label = label_of(moment, answer.query)
        label = label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        cues.append(f"{_times(moment)}\n{label}\n\n")
    return "".join(cues)


class SrtWriter(OneVideoWriter):
    """Write SubRip."""

    text = staticmethod(srt_text)


class VttWriter(OneVideoWriter):
    """Write WebVTT."""

    text = staticmethod(vtt_text)


def _times(moment: Moment) -> str:
    end = max(moment.end, moment.start + SHORTEST)
    return f"{time_code(moment.start, '.')} --> {time_code(end, '.')}"


def _code(milliseconds: int, mark: str) -> str:
    return time_code(milliseconds / 1000, mark)

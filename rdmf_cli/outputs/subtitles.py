"""Moments as subtitles that a player shows over the video: SRT and WebVTT."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.outputs.writer import Writer
from rdmf_cli.text import one_line, time_code

SHORTEST = 0.001  # seconds; players skip a cue of length 0


UNMARKED = str.maketrans("<>{}\\", "\uff1c\uff1e\uff5b\uff5d\uff3c")
"""Full-width forms of characters of markup. Players read `<i>`, `{\\an8}` and `\\N` in SubRip as
markup, and SubRip has no way to escape them."""


class SrtWriter(Writer):
    """A writer of SubRip: cues in order of time, numbered on over several answers.

    Characters of markup are replaced by their full-width forms.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.cues = 0

    def write(self, answer: Answer) -> None:
        """Write one cue per moment."""
        for moment in _by_time(answer):
            self.cues += 1
            cue = f"{_times(moment, ',')}\n{_label(moment, answer.query.translate(UNMARKED))}"
            self.stream.write(f"{self.cues}\n{cue}\n\n")


class VttWriter(Writer):
    """A writer of WebVTT: cues in order of time; `&`, `<` and `>` are escaped."""

    encoding = "utf-8"

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.stream.write("WEBVTT\n\n")

    def write(self, answer: Answer) -> None:
        """Write one cue per moment."""
        query = answer.query.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for moment in _by_time(answer):
            self.stream.write(f"{_times(moment, '.')}\n{_label(moment, query)}\n\n")


def _by_time(answer: Answer) -> Iterator[Moment]:
    yield from sorted(answer.moments, key=lambda m: (m.start, m.end))


def _times(moment: Moment, mark: str) -> str:
    end = max(moment.end, moment.start + SHORTEST)
    return f"{time_code(moment.start, mark)} --> {time_code(end, mark)}"


def _label(moment: Moment, query: str) -> str:
    return f"#{moment.rank} {one_line(query)} ({moment.score:.2f})"

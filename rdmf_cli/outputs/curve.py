"""Draw the saliency curve of a video in the terminal, with its moments below the curve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.outputs.axis import Mark, TimeAxis, lanes, largest_per_column
from rdmf_cli.outputs.bars import area
from rdmf_cli.outputs.terminal import FAINT

MARGIN = 5  # columns for the vertical axis and its labels
NARROWEST = 20  # columns of the plot; a narrower terminal crops the plot
LANES = 3
BEST, LISTED, ELSEWHERE = "yellow", "cyan", "blue"


@dataclass(frozen=True)
class Curve:
    """Plot saliency over time, as wide as the console, in blocks or ASCII.

    A column of several clips shows the largest saliency, so a short peak in a long video stays
    visible. Columns inside a moment are brighter.

    Attributes:
        answer: The answer.
        rows: Height of the plot in lines.
    """

    answer: Answer
    rows: int = 4

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.answer.saliency:
            yield Text("no clips, no curve", style=FAINT)
            return
        axis = time_axis(self.answer, max(options.max_width - MARGIN, NARROWEST))
        for line in self._lines(axis, options.ascii_only):
            line.no_wrap, line.overflow = True, "crop"
            yield line

    def _lines(self, axis: TimeAxis, ascii_only: bool) -> Iterator[Text]:
        saliency = largest_per_column(np.asarray(self.answer.saliency), axis.columns)
        styles = column_styles(self.answer.moments, axis)
        for row, line in enumerate(area(saliency, self.rows, ascii_only)):
            yield Text.assemble(_labelled(self._level(row), ascii_only), _painted(line, styles))
        line, labels = axis.lines(ascii_only)
        yield Text(f"{'0':>3} {'+' if ascii_only else '└'}{line}", style=FAINT)
        yield Text(" " * MARGIN + labels, style=FAINT)
        yield from moment_lines(self.answer.moments, axis, ascii_only)

    def _level(self, row: int) -> str:
        """Return the label of a row: the value at the top edge of the row."""
        return {0: "1", self.rows - self.rows // 2: ".5"}.get(row, "")


def time_axis(answer: Answer, columns: int) -> TimeAxis:
    """Return the axis of the part of the video that was searched."""
    end = answer.offset + len(answer.saliency) * answer.clip_length
    return TimeAxis(answer.offset, end, columns)


def column_styles(moments: tuple[Moment, ...], axis: TimeAxis) -> list[str]:
    """Return the style of each column: inside the best moment, another moment, or no moment."""
    styles = [ELSEWHERE] * axis.columns
    for moment in sorted(moments, key=lambda m: -m.rank):
        first, past = axis.columns_of(moment.start, moment.end)
        styles[first:past] = [BEST if moment.rank == 1 else LISTED] * (past - first)
    return styles


def moment_lines(moments: tuple[Moment, ...], axis: TimeAxis, ascii_only: bool) -> Iterator[Text]:
    """Draw the moments as lines of `├─1─┤`; a last line counts the moments without room."""
    rows = lanes(moments, axis, most=LANES)
    for row in rows:
        yield _lane(row, ascii_only)
    hidden = len(moments) - sum(map(len, rows))
    if hidden:
        yield Text(f"{' ' * MARGIN}and {hidden} more, which overlap these", style=FAINT)


def _lane(row: list[Mark], ascii_only: bool) -> Text:
    line = Text(" " * MARGIN)
    for mark in row:
        style = BEST if mark.moment.rank == 1 else LISTED
        line.pad_right(MARGIN + mark.first - len(line))
        line.append(mark.draw(ascii_only), style=style)
    return line


def _labelled(level: str, ascii_only: bool) -> Text:
    line = "|" if ascii_only else "┤" if level else "│"
    return Text(f"{level:>3} {line}", style=FAINT)


def _painted(line: str, styles: list[str]) -> Text:
    return Text.assemble(*zip(line, styles, strict=True))

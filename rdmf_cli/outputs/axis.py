"""The time axis of a plot in the terminal: columns, ticks, and moments below the axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdmf_cli.moments.types import Moment
from rdmf_cli.text import clock

MINUTE, HOUR = 60.0, 3600.0
TICK_STEPS = (
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(MINUTE * m for m in (1, 2, 5, 10, 15, 30)),
    *(HOUR * h for h in (1, 2, 3, 6, 12, 24)),
)  # seconds
GAP = 2  # minimum number of columns between two tick labels


def largest_per_column(values: NDArray[np.floating], columns: int) -> NDArray[np.floating]:
    """Resample values from clips to columns; each column shows the largest value of its clips.

    If there are fewer clips than columns, each column shows the clip at its centre.

    Args:
        values: One value per clip, (..., L).
        columns: Number of columns.

    Returns:
        (..., columns).
    """
    clips = values.shape[-1]
    if clips <= columns:
        centres = (np.arange(columns) + 0.5) * clips / columns
        return values[..., centres.astype(int)]
    first_clips = np.arange(columns) * clips // columns
    return np.maximum.reduceat(values, first_clips, axis=-1)


def tick_step(span: float, most: int) -> float:
    """Return the smallest round distance between ticks for which at most `most` distances fit.

    Args:
        span: Length of the axis in seconds.
        most: The largest number of tick distances.

    Returns:
        Seconds.
    """
    for step in TICK_STEPS:
        if span <= step * most:
            return step
    return float(24 * HOUR * np.ceil(span / (24 * HOUR * most)))


class Tick(NamedTuple):
    """Hold a tick of the axis: its column, the first column of its label, and the label."""

    column: int
    label_column: int
    label: str


@dataclass(frozen=True)
class TimeAxis:
    """Map the time from `start` to `end` (seconds) to `columns` columns of the terminal."""

    start: float
    end: float
    columns: int

    def columns_of(self, start: float, end: float) -> tuple[int, int]:
        """Return the columns with their centre in a span, at least one column.

        Args:
            start: Seconds.
            end: Seconds.

        Returns:
            The first column, and the column after the last.
        """
        first, past = (int(self._position(t) + 0.5) for t in (start, end))
        if past <= first:
            first = min(int(self._position(start)), self.columns - 1)
        return first, max(past, first + 1)

    def ticks(self) -> list[Tick]:
        """Return ticks at round times; the width of the labels limits their number."""
        for step in (*TICK_STEPS, tick_step(self.end - self.start, 2)):
            ticks = self._ticks_every(step) if self._roughly(step) <= self.columns else []
            if ticks and all(_apart(*pair) for pair in pairwise(ticks)):
                return ticks
        return self._ticks_every(self.end - self.start)[:1]

    def lines(self, ascii_only: bool) -> tuple[str, str]:
        """Return the line of the axis and the line of labels below the axis."""
        line, labels = list(("-" if ascii_only else "─") * self.columns), [" "] * self.columns
        for tick in self.ticks():
            line[tick.column] = "+" if ascii_only else "┬"
            labels[tick.label_column : tick.label_column + len(tick.label)] = tick.label
        return "".join(line), "".join(labels).rstrip()

    def _position(self, seconds: float) -> float:
        share = (seconds - self.start) / (self.end - self.start)
        return self.columns * min(max(share, 0.0), 1.0)

    def _roughly(self, step: float) -> float:
        return (self.end - self.start) / step

    def _ticks_every(self, step: float) -> list[Tick]:
        first, last = np.ceil(self.start / step - 1e-6), np.floor(self.end / step + 1e-6)
        ticks = (self._tick(n * step, step) for n in np.arange(first, last + 1))
        return [tick for tick in ticks if tick is not None]

    def _tick(self, seconds: float, step: float) -> Tick | None:
        column = int(self._position(seconds) + 1e-6)
        label = clock(seconds, decimals=0 if step >= 1 else 1)
        if column >= self.columns or len(label) > self.columns:
            return None
        centred = max(column - len(label) // 2, 0)
        return Tick(column, min(centred, self.columns - len(label)), label)


def _apart(left: Tick, right: Tick) -> bool:
    return left.label_column + len(left.label) + GAP <= right.label_column


class Mark(NamedTuple):
    """Hold a moment on the columns from `first` to `past` (exclusive) of a lane."""

    first: int
    past: int
    moment: Moment

    def draw(self, ascii_only: bool) -> str:
        """Draw `├─1─┤`, or only the rank if there is no more room."""
        left, line, right = "|-|" if ascii_only else "├─┤"
        rank, width = str(self.moment.rank), self.past - self.first
        if width < len(rank) + 2:
            return rank.center(width, line)
        return left + rank.center(width - 2, line) + right


def lanes(moments: Iterable[Moment], axis: TimeAxis, most: int) -> list[list[Mark]]:
    """Place moments on lines so that no two overlap on a line; the best ranks come first.

    Args:
        moments: The moments.
        axis: The time axis.
        most: The largest number of lines; moments without room are left out.

    Returns:
        The moments of each line, by column.
    """
    rows: list[list[Mark]] = []
    for moment in sorted(moments, key=lambda m: m.rank):
        mark = _mark(moment, axis)
        row = next((row for row in rows if _free(row, mark)), None)
        if row is not None:
            row.append(mark)
        elif len(rows) < most:
            rows.append([mark])
    return [sorted(row) for row in rows]


def _mark(moment: Moment, axis: TimeAxis) -> Mark:
    first, past = axis.columns_of(moment.start, moment.end)
    past = max(past, first + len(str(moment.rank)))
    beyond = max(past - axis.columns, 0)
    return Mark(first - beyond, past - beyond, moment)


def _free(row: Sequence[Mark], new: Mark) -> bool:
    return all(new.past < old.first or old.past < new.first for old in row)

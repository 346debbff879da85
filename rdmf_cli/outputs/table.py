"""Show ranked moments as a table in the terminal, with the saliency curve below the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from rdmf_cli.moments.types import Answer, Moment, Quote
from rdmf_cli.outputs.bars import bar
from rdmf_cli.outputs.curve import BEST, LISTED, Curve
from rdmf_cli.outputs.terminal import (
    BETWEEN,
    EDGES,
    FAINT,
    Justify,
    PipeConsole,
    plain_table,
    printable,
    shortened,
)
from rdmf_cli.outputs.writer import Writer
from rdmf_cli.text import clock, date_and_time

PERHAPS_NOT, PROBABLY_NOT = 0.5, 0.2
"""Presences below which the table says that the query is perhaps, or probably, not in the video.
Measured by benchmarks/learned_head.py on the queries of QVHighlights-captions train that are in
their video: one query in six has a lower presence than the first number, and one in twenty has a
lower presence than the second number."""

LOW_SCORE = 0.1
"""The table lists a moment with a lower score only if it is the best moment. So an answer with its
curve fits 24 lines."""

TITLE_LINES = 3
MARGIN = 16  # columns that stay empty on these lines, because lines break between words
WIDEST_BAR, NARROWEST_BAR = 40, 4  # columns
SCORE = len("score")


@dataclass(frozen=True)
class AnswerTable:
    """Show the video, the query, its presence, and the moments, each with a bar for its score.

    A low presence is put in words: the query is perhaps, or probably, not in the video.

    Attributes:
        answer: The answer.
        left_out: Number of moments that are not listed, because their scores are low.
    """

    answer: Answer
    left_out: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.heading(options)
        yield Text()
        yield self._moments(options) if self.answer.moments else self._nothing()
        yield from self._quotes(options)
        if self.left_out:
            yield Text(f"and {self.left_out} with a score below {LOW_SCORE:g}", style=FAINT)
        yield Text()

    def heading(self, options: ConsoleOptions) -> Text:
        """Return the name of the video, the query and, on the next line, the presence."""
        return self._title(options).append("\n").append_text(self._presence())

    def _title(self, options: ConsoleOptions) -> Text:
        name = printable(PurePath(self.answer.video).name, options.encoding).append("  ")
        name.stylize("bold")
        query = printable(f'"{self.answer.query}"', options.encoding)
        title = name + query
        return shortened(title, TITLE_LINES * options.max_width - MARGIN, options.ascii_only)

    def _presence(self) -> Text:
        presence = self.answer.presence
        if presence >= PERHAPS_NOT:
            return Text(f"presence {presence:.2f}", style=FAINT)
        how = "probably" if presence < PROBABLY_NOT else "perhaps"
        return Text(f"{how} not in this video (presence {presence:.2f})", style="yellow")

    def _nothing(self) -> Text:
        if not self.answer.saliency:
            return Text("No moments: there were no clips to search.")
        return Text("No moments: nothing here scored high enough.")

    def _moments(self, options: ConsoleOptions) -> Table:
        ascii_only = options.ascii_only
        dated = self._has_dates(options)
        heads: list[tuple[str, Justify]] = [("#", "right"), ("moment", "right")]
        heads += [("recorded", "left")] * dated
        table = plain_table(ascii_only, [*heads, ("score", "right")])
        columns = self._bar_columns(options)
        for moment in self.answer.moments:
            table.add_row(*_cells(moment, columns, ascii_only, dated))
        return table

    def _has_dates(self, options: ConsoleOptions) -> bool:
        """Return whether the dates of the moments are known, and have room."""
        return self._columns_of_dates() > 0 and self._columns_left(options) >= 0

    def _columns_of_dates(self) -> int:
        known = (moment.recorded_at for moment in self.answer.moments if moment.recorded_at)
        return max((len(date_and_time(time)) + BETWEEN for time in known), default=0)

    def _quotes(self, options: ConsoleOptions) -> Iterator[Text]:
        """Quote the most likely line of each moment, one per row of the terminal."""
        for moment in self.answer.moments:
            if moment.said:
                text = Text(f"#{moment.rank} ").append(said(moment.said, options.encoding))
                yield shortened(text, options.max_width - EDGES, options.ascii_only)

    def _bar_columns(self, options: ConsoleOptions) -> int:
        """Return the columns that are left for the bar; 0 if a bar would be too short to read."""
        left = self._columns_left(options)
        if left < 0:  # then there are no dates
            left += self._columns_of_dates()
        return min(left, WIDEST_BAR) if left >= NARROWEST_BAR else 0

    def _columns_left(self, options: ConsoleOptions) -> int:
        """Return the columns that ranks, times, dates and scores leave for the bar."""
        ranks = max(len(str(moment.rank)) for moment in self.answer.moments)
        times = max(len(_times(moment, "-")) for moment in self.answer.moments)
        used = ranks + times + self._columns_of_dates() + SCORE + 3 * BETWEEN + EDGES
        return options.max_width - used


class TableWriter(Writer):
    """Write the table and the curve; write plain text if the stream is not a terminal.

    An answer fits a terminal of 80 columns and 24 lines: except for the best moment, moments with
    low scores are counted, not listed. rich decides on width and colours (NO_COLOR, COLUMNS,
    FORCE_COLOR).

    Args:
        stream: The stream.
        curve: Draw the saliency curve.
        console: The console to print to; None: a new one for the stream.
    """

    def __init__(
        self,
        stream: TextIO,
        curve: bool = True,
        console: Console | None = None,
    ):
        super().__init__(stream)
        self.console = console or PipeConsole(file=stream, highlight=False)
        self.curve = curve

    def write(self, answer: Answer) -> None:
        """Print one answer."""
        listed = worth_listing(answer.moments)
        left_out = len(answer.moments) - len(listed)
        answer = answer.model_copy(update={"moments": listed})
        self.console.print(AnswerTable(answer, left_out))
        if self.curve:
            self.console.print(Curve(answer))
        self.console.print()


def said(quotes: Sequence[Quote], encoding: str) -> Text:
    """Quote the most likely of some lines: said at 12:04: "the words"."""
    best = max(quotes, key=lambda quote: quote.chance)
    when = clock(best.start, decimals=0)
    return Text(f"said at {when}: ").append(printable(f'"{best.text}"', encoding))


def worth_listing(moments: tuple[Moment, ...]) -> tuple[Moment, ...]:
    """Return the best moment, and further moments if their scores are not low."""
    return tuple(m for m in moments if m.rank == 1 or m.score >= LOW_SCORE)


def _cells(moment: Moment, columns: int, ascii_only: bool, dated: bool) -> tuple[Text, ...]:
    style = BEST if moment.rank == 1 else LISTED
    score_bar = [Text(bar(moment.score, columns, ascii_only), style=style)] if columns else []
    return (
        Text(str(moment.rank), style=style),
        Text(_times(moment, "-" if ascii_only else "–")),
        *([Text(_date(moment))] if dated else []),
        Text(f"{moment.score:.2f}"),
        *score_bar,
    )


def _date(moment: Moment) -> str:
    return date_and_time(moment.recorded_at) if moment.recorded_at else ""


def _times(moment: Moment, dash: str) -> str:
    return f"{clock(moment.start)} {dash} {clock(moment.end)}"

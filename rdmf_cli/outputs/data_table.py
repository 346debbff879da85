"""Show the numbers of a data set as tables, and its problems as a list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from rdmf_cli.outputs.payloads.data import DataReport, SplitNumbers, Spread


@dataclass(frozen=True)
class DataTables:
    """Show a table of the splits, a table of the streams, then the findings."""

    report: DataReport

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _splits(self.report)
        if self.report.streams:
            yield _streams(self.report)
        yield from findings(self.report)


@dataclass(frozen=True)
class DataFindings:
    """Show the findings alone."""

    report: DataReport

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from findings(self.report)
        if not self.report.findings:
            yield Text("everything fits")


def findings(report: DataReport) -> Iterator[RenderableType]:
    """Write one line per finding, serious findings first."""
    for one in sorted(report.findings, key=lambda one: not one.serious):
        named = f" ({'; '.join(one.examples)})" if one.examples else ""
        yield Text(f"{'error' if one.serious else 'note'}: {one.what}{named}")


def _splits(report: DataReport) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(Text(report.dataset))
    for name in report.splits:
        table.add_column(Text(name), justify="right")
    rows = zip(*(_rows(split) for split in report.splits.values()), strict=True)
    for cells in rows:
        table.add_row(cells[0][0], *(value for _, value in cells))
    return table


def _rows(split: SplitNumbers) -> Iterator[tuple[str, str]]:
    yield "queries", str(split.queries)
    yield "videos", str(split.videos)
    yield "moments", str(split.moments)
    yield "queries without a moment", str(split.absent)
    yield "queries without ground truth", str(split.blind)
    yield "duration, s", spread(split.duration)
    yield "length of moments, s", spread(split.length)
    yield "short, middle, long", " / ".join(map(str, split.by_length))
    yield "first, second, last third", " / ".join(map(str, split.by_position))
    yield "moments per query", spread(split.moments_per_query)
    yield "words per query", spread(split.words)


def _streams(report: DataReport) -> Table:
    table = Table("features", box=box.SIMPLE_HEAD)
    for name in ("videos", "columns", "type", "rows per video", "norm"):
        table.add_column(name, justify="right")
    for name, one in report.streams.items():
        width = "–" if one.width is None else str(one.width)
        table.add_row(
            Text(name), str(one.videos), width, one.kind, spread(one.clips), spread(one.norm)
        )
    return table


def spread(values: Spread | None) -> str:
    """Write the lowest, median and highest value: "1 – 4 – 9"."""
    if values is None:
        return "–"
    return " – ".join(f"{value:.4g}" for value in (values.low, values.median, values.high))

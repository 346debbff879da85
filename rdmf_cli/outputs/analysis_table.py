"""Show an analysis as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from rdmf_cli.outputs.comparison_cells import DIFFERENCE_COLUMNS, difference_row
from rdmf_cli.outputs.comparison_table import line, table_of
from rdmf_cli.outputs.payloads.analysis import Analysis
from rdmf_cli.text import counted, one_line, queries

MEANINGS = {
    "right": "reaches a moment",
    "ranking": "a later one of the first ten does",
    "confusion": "reaches a moment of another query on the video",
    "localisation": "overlaps a moment by 0.1 or more",
    "elsewhere": "overlaps none",
    "nothing": "no window",
}


@dataclass(frozen=True)
class AnalysisTables:
    """Show one table per part of an analysis, then sentences."""

    analysis: Analysis

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        made = self.analysis
        yield line(
            f"{made.dataset}, {queries(made.queries)}, {counted(made.moments, 'moment')}, per cent"
        )
        for title, columns, rows, words in _tables(made):
            yield line(title)
            yield table_of(columns, rows, words)
        for sentence in _sentences(made):
            yield Text(f"  {sentence}")


Part = tuple[str, list[str], list[list[str]], int]


def _tables(record: Analysis) -> Iterator[Part]:
    t = f"{record.threshold:g}"
    thresholds = [*record.oracle[0].recall] if record.oracle else []
    oracle = [
        [str(row.within), *(f"{row.recall[name]:.2f}" for name in thresholds), _cell(row.mean_iou)]
        for row in record.oracle
    ]
    columns = ["first", *(f"R@{name}" for name in thresholds), "mIoU"]
    yield "if the best of the first windows were chosen", columns, oracle, 0
    first = [
        [cause, MEANINGS.get(cause, ""), _cell(share)] for cause, share in record.first.items()
    ]
    yield f"what the first window is (IoU {t})", ["first window", "", "queries"], first, 2
    losses = [
        [row.cause, _cell(row.windows), f"{row.recall:+.2f}", f"{row.average_precision:+.2f}"]
        for row in record.losses
    ]
    columns = ["cause", "windows", f"R1@{t}", f"mAP@{t}"]
    yield "what mending one cause alone would gain", columns, losses, 1
    yield from _groups(record)
    if record.blind is not None:
        title = f"above the blind baseline of {one_line(record.blind.train)}"
        columns = ["blind" if name == "baseline" else name for name in DIFFERENCE_COLUMNS]
        yield title, columns, [difference_row(row) for row in record.blind.differences], 1


def _groups(record: Analysis) -> Iterator[Part]:
    if not record.groups:
        return
    shown = [name for name in record.groups[0].metrics if name.removeprefix("MR-full-") in SHOWN]
    rows = [
        [row.by, row.group, str(row.queries), *(_cell(row.metrics[name]) for name in shown)]
        for row in record.groups
    ]
    columns = ["by", "group", "queries", *(name.removeprefix("MR-full-") for name in shown)]
    yield "by length, position and number of moments", columns, rows, 2


SHOWN = ("R1@0.3", "R1@0.5", "R1@0.7", "mIoU", "mAP")


def _sentences(record: Analysis) -> Iterator[str]:
    bias, scores = record.bias, record.calibration
    yield f"{record.missed:.2f} % of the moments are reached by none of the first ten windows."
    if bias.window_seconds is not None:
        lengths = f"{bias.window_seconds:.1f} s, of the moments {bias.moment_seconds:.1f} s"
        yield f"Median length of the first windows: {lengths}."
    if bias.start_late is not None and bias.end_late is not None:
        late = f"{bias.start_late:+.1f} s (start), {bias.end_late:+.1f} s (end)"
        yield f"Median distance to the true ends: {late}."
    if bias.length is not None and bias.centre is not None:
        distances = f"{bias.length.distance:.2f} (length), {bias.centre.distance:.2f} (position)"
        yield f"Distance to the true distribution, 0 to 1: {distances}."
    if scores is not None:
        if scores.auroc is not None:
            yield f"AUROC of the score, right against wrong first windows: {scores.auroc:.3f}."
        if scores.error is not None:
            yield f"Expected calibration error: {scores.error:.3f}."


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"

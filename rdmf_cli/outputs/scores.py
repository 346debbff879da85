"""Show the scores of predictions as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from rdmf_cli.outputs.payloads.evaluation import Evaluation, Ties
from rdmf_cli.text import counted, one_line

COLUMNS = 6  # columns of a table besides the thresholds; 80 characters have no room for more


@dataclass(frozen=True)
class ScoreTables:
    """Show tables of the metrics that papers print, and of the metrics by IoU threshold."""

    evaluation: Evaluation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        scored = self.evaluation
        by = f", {scored.head} head" if scored.head else ""
        queries = counted(scored.queries["all"], "query", "queries")
        yield Text(f"\n  {one_line(scored.dataset)}, {queries}, per cent{by}")
        yield self._summary()
        columns = list(by_threshold(scored.metrics).items())
        for start in range(0, len(columns), COLUMNS):
            yield _threshold_table(dict(columns[start : start + COLUMNS]))

    def _summary(self) -> Table:
        table = Table("metric", box=box.SIMPLE_HEAD)
        table.add_column("value", justify="right")
        ties = self.evaluation.ties
        if ties:
            table.add_column("by the order of ties")
        for name, value in self.evaluation.brief.items():
            between = [_range(ties.get(name))] if ties else []
            table.add_row(Text(one_line(name)), _cell(value), *between)
        return table


def by_threshold(metrics: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Collect every metric that has a value at each IoU threshold, by group and metric."""
    groups = {name: value for name, value in metrics.items() if isinstance(value, dict)}
    return {
        f"{name}\n{metric.removeprefix('MR-')}": values
        for name, group in groups.items()
        for metric, values in group.items()
        if metric.startswith("MR-") and isinstance(values, dict)
    }


def _threshold_table(columns: Mapping[str, Mapping[str, float | None]]) -> Table:
    table = Table("IoU", box=box.SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, justify="right")
    for threshold in max(columns.values(), key=len):
        cells = (
            _cell(column[threshold]) if threshold in column else "" for column in columns.values()
        )
        table.add_row(threshold, *cells)
    return table


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _range(ties: Ties | None) -> str:
    return "" if ties is None else f"{ties.least:.2f} to {ties.greatest:.2f}"

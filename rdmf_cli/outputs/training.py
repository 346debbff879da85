"""The result of a training as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table

from rdmf_cli.outputs.payloads.training import LearnedRates, Training

RATES = {"D_u": "D_u", "D_v": "D_v", "F": "F", "k": "k", "dt": "dt", "r_star": "r*"}


@dataclass(frozen=True)
class TrainingTables:
    """Tables of the held-out scores and of the learned rates by groups of channels."""

    training: Training

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ended = self.training
        if ended.scores:
            table = Table("held out", box=box.SIMPLE_HEAD)
            table.add_column(f"epoch {ended.best_epoch} of {ended.epochs}", justify="right")
            for name, value in ended.scores.items():
                table.add_row(name, f"{value:.4g}")
            yield table
        if ended.report.rates:
            yield Padding(_rates_table(ended.report.rates), (0, 2, 1, 2))


def _rates_table(rates: Sequence[LearnedRates]) -> Table:
    """Make the table of learned rates, at most 80 columns wide."""
    table = Table("group", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for head in ("channels", *RATES.values()):
        table.add_column(head, justify="right")
    table.add_column("regime")
    table.add_column("spacing", justify="right")
    for row in rates:
        spacing = row.spacing_seconds
        table.add_row(
            row.group,
            str(row.channels),
            *(_short(getattr(row, name)) for name in RATES),
            row.regime,
            "–" if spacing is None else f"{spacing:.1f} s",
        )
    return table


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"

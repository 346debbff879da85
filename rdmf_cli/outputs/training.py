"""Show the result of a training, or of several trainings, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rdmf_cli.outputs.payloads.training import (
    Importances,
    LearnedRates,
    TrainedSetting,
    Training,
    Trainings,
)

RATES = ("D_u", "D_v", "F", "k", "dt")
MOVED = 0.05  # rates are shown if a median changed by at least this share
SHOWN = 0.005  # the change of one rate is shown from this share on
MOST_PARTS = 8  # parts that the table of importances shows
GOAL = "goal"
WIDEST = 1000  # columns, at which the width that a table would take is measured


@dataclass(frozen=True)
class TrainingTables:
    """Show tables: held-out scores, which parts matter, and learned rates if they changed."""

    training: Training

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ended = self.training
        if ended.scores:
            table = Table("held out", box=box.SIMPLE_HEAD)
            table.add_column(f"epoch {ended.best_epoch} of {ended.epochs}", justify="right")
            for name, value in ended.scores.items():
                table.add_row(name, f"{value:.4g}")
            yield table
        if ended.report.importance is not None:
            yield Padding(_importance_table(ended.report.importance), (0, 2, 1, 2))
        if any(map(_moved, ended.report.rates)):
            yield Padding(_rates_table(ended.report.rates), (0, 2, 1, 2))


def _importance_table(importance: Importances) -> Table:
    """Make the table of the most important parts: the rise of the loss without each part."""
    held = "held-out" if importance.held_out else "training"
    table = Table("replaced by its mean", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(f"{held} loss {importance.loss:.3f}", justify="right", no_wrap=True)
    shown = importance.parts[:MOST_PARTS]
    for part in shown:
        error = "" if part.error is None else f" ± {part.error:.3f}"
        name = f"fusion, block {part.name}" if part.kind == "fusion" else part.name
        table.add_row(Text(name), f"{part.rise:+.3f}{error}")
    if left := len(importance.parts) - len(shown):
        table.add_row(Text(f"{left} parts with less: --json"), "")
    return table


def _moved(row: LearnedRates) -> bool:
    changed = row.changed or {}
    return bool(row.regimes_changed) or any(abs(x or 0.0) >= MOVED for x in changed.values())


def _rates_table(rates: Sequence[LearnedRates]) -> Table:
    """Make the table of learned rates and their change in training, at most 80 columns wide."""
    table = Table("group", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for head in ("channels", *RATES):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("regime")
    for row in rates:
        regime = row.regime + (f" ({row.regimes_changed} new)" if row.regimes_changed else "")
        changed = row.changed or {}
        cells = (_short(getattr(row, name)) + _percent(changed.get(name)) for name in RATES)
        table.add_row(row.group, str(row.channels), *cells, regime)
    return table


def _percent(share: float | None) -> str:
    return f" {share:+.0%}" if share is not None and abs(share) >= SHOWN else ""


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


@dataclass(frozen=True)
class TrainingsTable:
    """Show one table of several runs: mean ± sample standard deviation per setting, best first."""

    trainings: Trainings

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        settings = sorted(self.trainings.settings, key=_goal, reverse=True)
        names = list(dict.fromkeys(name for one in settings for name in one.values))
        metrics = list(dict.fromkeys(name for one in settings for name in one.mean))
        table = _table(settings, names, metrics, " ")
        wide = Measurement.get(console, options.update(max_width=WIDEST), table).maximum
        if wide > options.max_width:
            table = _table(settings, names, metrics, "\n")  # a mean above its deviation
        yield table
        failed = [(r.name, r.error) for one in settings for r in one.runs if r.error]
        for name, error in failed:
            yield Text(f"  {name} failed: {error}")


def _table(
    settings: Sequence[TrainedSetting], names: Sequence[str], metrics: Sequence[str], between: str
) -> Table:
    """Make the table; `between` stands between a mean and its deviation."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in (*names, "runs"):
        table.add_column(Text(name.rpartition(".")[2]), overflow="fold")
    for name in metrics:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for one in settings:
        values = (Text(_value(one.values.get(name))) for name in names)
        table.add_row(*values, _runs(one), *(_mean(one, name, between) for name in metrics))
    return table


def _goal(setting: TrainedSetting) -> float:
    return setting.mean.get(GOAL, float("-inf"))


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _runs(setting: TrainedSetting) -> str:
    done = sum(run.error is None for run in setting.runs)
    return str(done) if done == len(setting.runs) else f"{done} of {len(setting.runs)}"


def _mean(setting: TrainedSetting, name: str, between: str) -> str:
    means: Mapping[str, float] = setting.mean
    if name not in means:
        return "–"
    spread = f"{between}± {setting.sd[name]:.2f}" if name in setting.sd else ""
    return f"{means[name]:.2f}{spread}"

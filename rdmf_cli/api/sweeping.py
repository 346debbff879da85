"""Train several runs of one configuration: every combination of values, every seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from rdmf_cli.api.training import Shared, train_one
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.outputs.payloads.training import TrainedRun, TrainedSetting, Training, Trainings
from rdmf_cli.text import one_line
from rdmf_cli.training.config import RunConfig
from rdmf_cli.training.events import Callback
from rdmf_cli.training.sweep import run_name

GOAL = "goal"


class Planned(NamedTuple):
    """Hold one run: the values that the run tries, its seed, its folder and its configuration."""

    values: dict[str, Any]
    seed: int
    name: str
    config: RunConfig


def train_all(
    config: RunConfig,
    folder: Path,
    restart: bool,
    shared: Shared,
    callback: Callback | None,
    wandb: str | None,
) -> Trainings:
    """Train every run of a configuration; see `rdmf_cli.sweep`."""
    plan = list(planned(config, folder))
    runs = []
    for number, one in enumerate(plan, start=1):
        if shared.notify:
            shared.notify(f"run {number} of {len(plan)}: {one.name}")
        runs.append(_run(one, restart, shared, callback, wandb))
    settings = _settings(plan, runs)
    return Trainings(settings=settings, best=_best(settings), folder=str(folder))


def planned(config: RunConfig, folder: Path) -> Iterator[Planned]:
    """Yield the runs of a configuration; check each run first.

    Raises:
        UsageError: The values of a combination do not fit together.
    """
    combinations = config.sweep.combinations() if config.sweep else iter([{}])
    seeds = config.seeds or (config.training.seed,)
    alone = config.model_copy(update={"seeds": (), "sweep": None})
    known: set[str] = set()
    for values in combinations:
        if run_name(values) in known:  # a random draw may give the same values twice
            continue
        known.add(run_name(values))
        for seed in seeds:
            parts = [run_name(values)] if values else []
            parts += [f"seed-{seed}"] if config.seeds else []
            name = "/".join(parts)
            made = alone.having({**values, "training.seed": seed, "out": str(folder / name)})
            yield Planned(values, seed, name, made)


def _run(
    one: Planned, restart: bool, shared: Shared, callback: Callback | None, wandb: str | None
) -> TrainedRun:
    try:
        ended = train_one(one.config, shared, restart, callback, wandb)
    except UsageError:
        raise
    except RdmfError as error:
        if shared.notify:
            shared.notify(one_line(f"{one.name} failed: {error}"))
        return _ended(one, None, one_line(str(error)))
    return _ended(one, ended, None)


def _ended(one: Planned, ended: Training | None, error: str | None) -> TrainedRun:
    return TrainedRun(
        name=one.name,
        seed=one.seed,
        best_epoch=ended.best_epoch if ended else None,
        scores=ended.scores if ended else {},
        model=ended.model if ended else None,
        error=error,
    )


def _settings(plan: Sequence[Planned], runs: Sequence[TrainedRun]) -> tuple[TrainedSetting, ...]:
    by_values: dict[str, list[tuple[Planned, TrainedRun]]] = {}
    for one, run in zip(plan, runs, strict=True):
        by_values.setdefault(run_name(one.values), []).append((one, run))
    return tuple(
        _setting(pairs[0][0].values, [run for _, run in pairs]) for pairs in by_values.values()
    )


def _setting(values: dict[str, Any], runs: Sequence[TrainedRun]) -> TrainedSetting:
    done = [run.scores for run in runs if run.error is None]
    names = [name for name in (done[0] if done else {}) if all(name in scores for scores in done)]
    columns = {name: [scores[name] for scores in done] for name in names}
    return TrainedSetting(
        values=values,
        runs=tuple(runs),
        mean={name: fmean(column) for name, column in columns.items()},
        sd={name: stdev(column) for name, column in columns.items() if len(column) > 1},
    )


def _best(settings: Sequence[TrainedSetting]) -> int | None:
    scored = [place for place, one in enumerate(settings) if GOAL in one.mean]
    return max(scored, key=lambda place: settings[place].mean[GOAL], default=None)

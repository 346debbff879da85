"""The search: draw settings at random, then jitter the best settings."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from recipes.rates.arms import ARMS, draw_setting
from recipes.rates.data import Split
from recipes.rates.scoring import COPIES, LEADERS, jittered, per_query

CHOSEN = Path(__file__).with_name("settings.json")


def objective(scores: np.ndarray) -> np.ndarray:
    """Return the objective for scores (..., 3): AP and the mean recall, equally weighted."""
    return np.asarray(scores) @ (0.25, 0.25, 0.5)


def search(split: Split, name: str, draws: int, seed: int, log: Path) -> None:
    """Draw `draws` settings, then jitter the best; skip the settings that the log holds already."""
    known = {row["draw"]: row for row in read_log(log)}
    todo = ((f"{n}", None) for n in range(draws))
    score_all(split, name, seed, log, known, todo)
    leaders = sorted((r for r in known.values() if "." not in r["draw"]), key=by_objective)
    copies = ((f"{r['draw']}.{c}", r) for r in leaders[-LEADERS:] for c in range(COPIES))
    score_all(split, name, seed, log, known, copies)


def by_objective(row: dict[str, Any]) -> float:
    return float(objective(row["scores"]))


def score_all(
    split: Split,
    name: str,
    seed: int,
    log: Path,
    known: dict[str, dict[str, Any]],
    todo: Iterable[tuple[str, dict[str, Any] | None]],
) -> None:
    for draw, parent in todo:
        if draw in known:
            continue
        rng = np.random.default_rng([seed, *map(ord, name), *map(int, draw.split("."))])
        setting = jittered(parent["setting"], rng) if parent else draw_setting(ARMS[name], rng)
        begun = time.perf_counter()
        scores = per_query(split, ARMS[name], setting).mean(axis=0).tolist()
        known[draw] = {"draw": draw, "setting": setting, "scores": scores}
        line = {**known[draw], "seconds": round(time.perf_counter() - begun, 3), "seed": seed}
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_log(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.open(encoding="utf-8")] if log.exists() else []


def neighbourhoods(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the best settings of a log, by the mean objective with their jittered copies."""
    values: dict[str, list[float]] = {}
    for row in log:
        values.setdefault(row["draw"].split(".")[0], []).append(by_objective(row))
    mean = {draw: float(np.mean(v)) for draw, v in values.items() if len(v) > COPIES}
    leaders = [{**row, "neighbourhood": mean[row["draw"]]} for row in log if row["draw"] in mean]
    return sorted(leaders, key=lambda row: row["neighbourhood"], reverse=True)

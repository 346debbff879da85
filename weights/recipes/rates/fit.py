"""Fit the shipped rates (ranking, saliency and presence) on all of train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from rdmf_cli.channels.background import Background, strongest
from rdmf_cli.channels.similarity import coherence, standardise
from rdmf_cli.heads.training_free.field import curves
from rdmf_cli.heads.training_free.rates import (
    PresenceRates,
    RankingRates,
    SaliencyRates,
    TrainingFreeRates,
)
from recipes.rates.arms import ARMS, fusion_rates
from recipes.rates.data import Split
from recipes.rates.scoring import CLIP_LENGTH, LEVELS, OVERLAP, REDUNDANCY, described, fit
from recipes.rates.search import CHOSEN, by_objective, neighbourhoods, read_log

MEASURES = ("R1@0.5", "R1@0.7", "mAP", "HIT@1")


def numbers(x: np.ndarray) -> tuple[float, ...]:
    """Return numbers for a file; a number within the solver's tolerance of 0 becomes 0."""
    return tuple(float(n) if abs(n) > 1e-6 else 0.0 for n in x)


def fit_log_odds(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, ...], float]:
    """Fit y (n,) in {0, 1} to x (n, k): weights of at least 0, and offset (log-odds)."""

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        odds = x @ w[:-1] + w[-1]
        error = 0.5 * (1 + np.tanh(odds / 2)) - y
        value = np.mean(np.logaddexp(0, odds) - y * odds)
        return value, np.r_[x.T @ error, error.sum()] / len(y)

    bounds = [(0, None)] * x.shape[1] + [(None, None)]
    w = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    return numbers(w[:-1]), float(w[-1])


def fit_saliency(split: Split, seen: np.ndarray) -> SaliencyRates:
    """Fit whether a clip lies in a true window, from the curves (Q, K, L)."""
    centre = (np.arange(split.mask.shape[1]) + 0.5) * CLIP_LENGTH
    start, end = split.windows[..., 0, None], split.windows[..., 1, None]
    relevant = np.any((start <= centre) & (centre < end), axis=1)
    x = seen.swapaxes(1, 2)[split.mask]
    weights, offset = fit_log_odds(x, relevant[split.mask].astype(float))
    return SaliencyRates(curves=weights, offset=offset)


def evidence(split: Split, background: np.ndarray) -> np.ndarray:
    """Return (2, Q, 2): coherence, and excess over the background, of each query.

    First on the query's own video, then for a query of another YouTube id.
    """
    rng = np.random.default_rng(0)
    out = np.zeros((2, len(split), 2))
    for n, rows in enumerate(split.clips):
        other = int(rng.choice(np.flatnonzero(split.youtube != split.youtube[n])))
        over = Background.of(rows @ background.T)
        for kind, query in enumerate((n, other)):
            s, mask = rows @ split.queries[query], np.ones(len(rows), bool)
            held_together = coherence(standardise(s, mask), mask)
            out[kind, n] = held_together, over.excess(float(strongest(s)))
    return out


def fit_presence(found: np.ndarray) -> PresenceRates:
    """Fit presence from the evidence (2, Q, k) of shown and absent queries."""
    shown = np.repeat([1.0, 0.0], found.shape[1])
    weights, offset = fit_log_odds(found.reshape(-1, found.shape[2]), shown)
    return PresenceRates(evidence=weights, offset=offset)


def fitted_rates(split: Split, row: dict[str, Any], background: np.ndarray) -> TrainingFreeRates:
    """Return the rates of a draw of the arm `rd`; ranking and calibration are fitted."""
    setting = row["setting"]
    data = described(split, ARMS["rd"], setting)
    weights, offset = fit(data)
    curve = len(data.signs) // 2 - 1
    seen = curves(split.z, ARMS["rd"].pattern(split, setting))
    found = evidence(split, background)
    return TrainingFreeRates(
        fusion=fusion_rates(setting),
        ranking=RankingRates(
            inside=numbers(weights[:curve]),
            around=numbers(weights[curve : 2 * curve]),
            sqrt_seconds=float(weights[-2]),
            log_seconds=float(weights[-1]),
            offset=offset,
            dark=setting["dark"],
            levels=LEVELS,
            overlap=OVERLAP,
            redundancy=REDUNDANCY,
        ),
        saliency=fit_saliency(split, seen),
        presence=fit_presence(found[..., :1]),
        presence_over_background=fit_presence(found),
        made_by=made_by(row),
    )


def winner(logs: Path, name: str) -> dict[str, Any]:
    """Return the draw of an arm that won; for a search without jitter, the best draw."""
    log = read_log(logs / f"{name}.jsonl")
    leaders = neighbourhoods(log) or sorted(log, key=by_objective, reverse=True)
    return {**leaders[0], "draws": len(log)}


def choose(split: Split, logs: Path, background: np.ndarray, rates: Path) -> None:
    """Write the settings that won, and the rates file of `rd`."""
    winners = {name: winner(logs, name) for name in ARMS}
    CHOSEN.write_text(json.dumps(winners, indent=1) + "\n", encoding="utf-8")
    fitted = fitted_rates(split, winners["rd"], background)
    rates.write_text(fitted.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")


def made_by(row: dict[str, Any]) -> dict[str, Any]:
    """Return the facts on its origin that a rates file states."""
    return {
        "command": "python -m recipes.rates search, then choose",
        "data": "QVHighlights-captions train: the official test split, 1,542 queries; "
        "sentence embeddings (all-MiniLM-L6-v2) of clip captions and of plain queries",
        **{key: row[key] for key in ("seed", "draws", "draw")},
        "train_out_of_fold": {
            name: round(score, 2) for name, score in zip(MEASURES, row["scores"], strict=False)
        },
    }

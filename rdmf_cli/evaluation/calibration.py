"""Calibration: how often the first windows with a given score are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.overlap import Array

BINS = 10

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bin:
    """Hold how many first windows score in [low, high), their mean score, and the share right."""

    low: float
    high: float
    queries: int
    score: float
    right: float


@dataclass(frozen=True)
class Calibration:
    """Compare the scores of first windows with whether the windows are right.

    Attributes:
        auroc: Probability that a right window has a higher score than a wrong window; equal scores
            count half. None if all windows are right or all are wrong.
        error: Expected calibration error, 0 to 1 (Guo, Pleiss, Sun, Weinberger, ICML 2017); None if
            some scores are outside [0, 1].
        bins: Ten bins of equal width over [0, 1], without empty bins; no bins if `error` is None.
    """

    auroc: float | None
    error: float | None
    bins: list[Bin]


def calibration(scores: Array, right: Flags) -> Calibration:
    """Measure how well scores (Q,) separate right windows from wrong windows."""
    bins = _bins(scores, right) if ((scores >= 0) & (scores <= 1)).all() else []
    gaps = [entry.queries * abs(entry.score - entry.right) for entry in bins]
    error = sum(gaps) / len(scores) if bins else None
    return Calibration(auroc(scores, right), error, bins)


def auroc(scores: Array, positive: Flags) -> float | None:
    """Compute the area under the ROC curve, 0 to 1; equal scores count half.

    The result is Mann and Whitney's U divided by the number of pairs.

    Args:
        scores: (Q,).
        positive: (Q,) True for the entries that should have high scores.

    Returns:
        The area; None if all entries are positive, or all are negative.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # mean rank of equal scores, counted from 1
    total = ranks[place.reshape(-1)][positive].sum() - positives * (positives + 1) / 2
    return float(total / (positives * negatives))


def _bins(scores: Array, right: Flags) -> list[Bin]:
    place = np.minimum((scores * BINS).astype(np.int_), BINS - 1)
    return [
        Bin(
            low=number / BINS,
            high=(number + 1) / BINS,
            queries=int(inside.sum()),
            score=float(scores[inside].mean()),
            right=float(right[inside].mean()),
        )
        for number in range(BINS)
        if (inside := place == number).any()
    ]

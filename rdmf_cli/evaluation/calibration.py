"""Does a score mean what it says? Reliability of the first windows' scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.overlap import Array

BINS = 10

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bin:
    """First windows whose scores lie in [low, high): how many, their mean score, share right."""

    low: float
    high: float
    queries: int
    score: float
    right: float


@dataclass(frozen=True)
class Calibration:
    """Scores of first windows against being right.

    Attributes:
        auroc: Chance that a right window has a higher score than a wrong one, equal scores
            counted half; None where all are right or none is.
        error: Expected calibration error, 0 to 1 (Guo, Pleiss, Sun, Weinberger, ICML 2017); None
            where scores do not lie in [0, 1].
        bins: Ten of equal width over [0, 1], those that hold a query; none where `error` is None.
    """

    auroc: float | None
    error: float | None
    bins: list[Bin]


def calibration(scores: Array, right: Flags) -> Calibration:
    """Measure how scores (Q,) tell which of Q windows are right."""
    bins = _bins(scores, right) if ((scores >= 0) & (scores <= 1)).all() else []
    gaps = [entry.queries * abs(entry.score - entry.right) for entry in bins]
    error = sum(gaps) / len(scores) if bins else None
    return Calibration(auroc(scores, right), error, bins)


def auroc(scores: Array, positive: Flags) -> float | None:
    """Compute the area under the ROC curve, 0 to 1; equal scores count half.

    This is Mann and Whitney's U over the number of pairs.

    Args:
        scores: (Q,).
        positive: (Q,) True for those that should score high.

    Returns:
        The area; None where all are positive, or none is.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # mean rank of equal scores, from 1
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

"""Recall and mAP of moment retrieval, for several protocols.

In this module, `predicted` holds for each of Q queries windows (P, 3) [start, end, score], best
first, and `truths` holds windows (G, 2) [start, end], in seconds. Results are percentages, not
rounded; None if there is no query. A query without predictions counts as missed and has an AP of 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.detection import AP_THRESHOLDS, average_precision
from rdmf_cli.evaluation.overlap import (
    Array,
    Windows,
    iou_over_hull,
    iou_over_lengths,
    lengths,
    stack,
)

PREDICTIONS_SCORED = 10
"""mAP uses the first ten predictions of a query."""

MOST_PAIRS = 500_000
"""Pairs of a predicted and a true window to compare at once."""

RECALL_THRESHOLDS = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))
"""The lowest IoU at which a prediction counts as right: 0.30, 0.35, ... 0.95."""

WITHIN = 5
"""R5 uses the first five predictions of a query."""

LENGTH_GROUPS = {"short": (0.0, 10.0), "middle": (10.0, 30.0), "long": (30.0, inf)}
"""Groups by length of the true window in seconds: above the first number, up to the second."""

Percent = float | None


def percent(values: npt.NDArray[Any]) -> Percent:
    """Return the mean of values (n,) as a percentage; None if there are no values."""
    return 100 * float(np.mean(values)) if values.size else None


def by_threshold(columns: npt.NDArray[Any], thresholds: Iterable[float]) -> dict[str, Percent]:
    """Average columns (Q, K), one per threshold: {"0.5": mean of the first, ...} in per cent."""
    return {f"{t:g}": percent(columns[:, k]) for k, t in enumerate(thresholds)}


def together(truths: Sequence[Windows], within: int) -> Iterator[slice]:
    """Yield queries to score at once, so that their padded windows (G, 2) stay few."""
    start = widest = 0
    for query, windows in enumerate(truths):
        widest = max(widest, len(windows))
        if query > start and (query + 1 - start) * widest * within > MOST_PAIRS:
            yield slice(start, query)
            start, widest = query, len(windows)
    yield slice(start, len(truths))


def best_iou(predicted: Sequence[Windows], truths: Sequence[Windows], within: int = 1) -> Array:
    """Compute the highest IoU between the first predictions of a query and its true windows.

    Args:
        predicted: (P, 3) windows of each query.
        truths: (G, 2) windows of each query.
        within: how many of the first predictions of a query are considered.

    Returns:
        (Q,) in [0, 1].
    """
    best = [
        _best_of_pairs(stack(predicted[part], 3, at_most=within), stack(truths[part], 2))
        for part in together(truths, within)
    ]
    return np.concatenate(best)


def _best_of_pairs(predicted: Array, truths: Array) -> Array:
    """Return the IoU (Q,) of the best pair of each query: 0 where there is no pair.

    As in the original evaluators, the first pair with the highest `iou_over_lengths` is chosen, and
    the `iou_over_hull` of this pair counts. If several pairs have the same IoU in theory, their
    last bits may differ, and a decision on a threshold may depend on these bits.
    """
    hull = iou_over_hull(predicted, truths)
    if not hull.size:
        return np.zeros(len(predicted))
    over_lengths = iou_over_lengths(predicted, truths).reshape(len(predicted), -1)
    best = over_lengths.argmax(axis=1)
    chosen: Array = hull.reshape(len(predicted), -1)[np.arange(len(predicted)), best]
    return chosen


def recall(
    predicted: Sequence[Windows],
    truths: Sequence[Windows],
    thresholds: Sequence[float],
    within: int = 1,
    strict: bool = False,
) -> dict[str, Percent]:
    """Compute recall: the share of queries with an IoU of t or more among the first predictions.

    Args:
        predicted: (P, 3) windows of each query.
        truths: (G, 2) windows of each query.
        thresholds: values of t.
        within: how many of the first predictions of a query are considered: 1 for R1@t, 5 for
            R5@t.
        strict: the IoU must exceed t, as in 2D-TAN's evaluation.

    Returns:
        The values in per cent, by threshold.
    """
    return _recall_of(best_iou(predicted, truths, within), thresholds, strict)


def _recall_of(iou: Array, thresholds: Sequence[float], strict: bool) -> dict[str, Percent]:
    levels = np.asarray(thresholds)
    reached = iou[:, None] > levels if strict else iou[:, None] >= levels
    return by_threshold(reached, thresholds)


def mean_iou(predicted: Sequence[Windows], truths: Sequence[Windows]) -> Percent:
    """Compute mIoU of the first predictions (P, 3) of each query with its true windows (G, 2)."""
    return percent(best_iou(predicted, truths))


def average_precisions(
    predicted: Sequence[Windows],
    truths: Sequence[Windows],
    thresholds: tuple[float, ...] = AP_THRESHOLDS,
) -> Array:
    """Compute the AP of every query at each IoU threshold.

    Args:
        predicted: (P, 3) windows of each query.
        truths: (G, 2) windows of each query, at least one.
        thresholds: K values of IoU.

    Returns:
        (Q, K) in [0, 1].
    """
    parts = [
        average_precision(
            stack(predicted[part], 3, at_most=PREDICTIONS_SCORED),
            stack(truths[part], 2),
            thresholds,
        )
        for part in together(truths, PREDICTIONS_SCORED)
    ]
    return np.concatenate(parts)


def mean_average_precision(
    predicted: Sequence[Windows],
    truths: Sequence[Windows],
    thresholds: tuple[float, ...] = AP_THRESHOLDS,
) -> dict[str, Percent]:
    """Compute mAP@t over queries, and the mean over the thresholds as "average".

    Args:
        predicted: (P, 3) windows of each query.
        truths: (G, 2) windows of each query, at least one.
        thresholds: values of t.

    Returns:
        The values in per cent, by threshold.
    """
    ap = average_precisions(predicted, truths, thresholds)
    return {**by_threshold(ap, thresholds), "average": percent(ap)}


def of_length(truths: Sequence[Windows], longer: float, up_to: float) -> list[Array]:
    """Keep the true windows (G, 2) of each query with a length in (longer, up_to] seconds."""
    rows = [np.asarray(row, dtype=np.float64).reshape(-1, 2) for row in truths]
    return [row[(lengths(row) > longer) & (lengths(row) <= up_to)] for row in rows]


Score = Callable[[Sequence[Windows], Sequence[Windows]], dict[str, Any]]


def by_length(
    predicted: Sequence[Windows], truths: Sequence[Windows], score: Score
) -> dict[str, Any]:
    """Score all true windows ("full"), then the true windows of each of `LENGTH_GROUPS` alone.

    For a group, true windows of other lengths are removed, then queries without true windows. All
    predictions stay.

    Args:
        predicted: (P, 3) windows of each query.
        truths: (G, 2) windows of each query.
        score: a function that scores the queries of a group.

    Returns:
        Results by group, each with its number of queries ("queries").
    """
    found = {}
    for name, bounds in {"full": (-inf, inf), **LENGTH_GROUPS}.items():
        within = of_length(truths, *bounds)
        kept = [query for query, row in enumerate(within) if len(row)]
        scored = score([predicted[k] for k in kept], [within[k] for k in kept])
        found[name] = {**scored, "queries": len(kept)}
    return found


def moment_scores(
    predicted: Sequence[Windows], truths: Sequence[Windows], strict: bool = False
) -> dict[str, Any]:
    """Compute recall and mIoU.

    Args:
        predicted: (P, 3) windows of each query.
        truths: (G, 2) windows of each query, at least one.
        strict: the IoU must exceed t.

    Returns:
        {"MR-R1", "MR-R5", "MR-mIoU"} in per cent.
    """
    first, five = (best_iou(predicted, truths, within) for within in (1, WITHIN))
    return {
        "MR-R1": _recall_of(first, RECALL_THRESHOLDS, strict),
        "MR-R5": _recall_of(five, RECALL_THRESHOLDS, strict),
        "MR-mIoU": percent(first),
    }

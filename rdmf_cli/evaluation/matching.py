"""Match the first predictions of a query to true windows, in list order, one window each.

The evaluators of QV-M2 and Soccer-GMR match in this way: a prediction takes the free true window
that it overlaps most (the first one, if it overlaps two equally).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rdmf_cli.evaluation.detection import true_positives
from rdmf_cli.evaluation.overlap import Array, Windows, iou_over_lengths, stack
from rdmf_cli.evaluation.retrieval import together


def matches(
    predicted: Sequence[Windows],
    truths: Sequence[Windows],
    within: int,
    thresholds: Sequence[float],
) -> Array:
    """Count the true windows that the first predictions find.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query, at least one.
        within: How many of the first predictions of a query are considered.
        thresholds: The lowest IoU at which a window is found, above 0.

    Returns:
        (Q, number of thresholds).
    """
    parts = [
        true_positives(
            _overlaps(predicted[part], truths[part], within)[:, :, ::-1], np.asarray(thresholds)
        ).sum(axis=1)
        for part in together(truths, within)
    ]
    counts: Array = np.concatenate(parts).astype(np.float64)
    return counts


def matched_overlaps(predicted: Sequence[Windows], truths: Sequence[Windows], within: int) -> Array:
    """Return the IoU of every prediction with the true window that it takes; the IoU may be small.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query.
        within: How many of the first predictions of a query are considered.

    Returns:
        (Q, within); NaN if there is no prediction, or no true window is left.
    """
    parts = [_taken(predicted[part], truths[part], within) for part in together(truths, within)]
    return np.concatenate(parts)


def _taken(predicted: Sequence[Windows], truths: Sequence[Windows], within: int) -> Array:
    windows, moments = stack(predicted, 3, at_most=within), stack(truths, 2)
    iou, found = iou_over_lengths(windows, moments), np.full((len(windows), within), np.nan)
    if not moments.shape[1]:
        return found
    free, queries = np.isfinite(moments[..., 0]), np.arange(len(windows))
    for rank in range(windows.shape[1]):
        able = free & np.isfinite(windows[:, rank, :1])
        overlap = np.where(able, iou[:, rank], -1.0)
        best, some = overlap.argmax(axis=1), able.any(axis=1)
        found[some, rank] = overlap[queries, best][some]
        free[queries[some], best[some]] = False
    return found


def _overlaps(predicted: Sequence[Windows], truths: Sequence[Windows], within: int) -> Array:
    """Return the IoU of the first predictions with the true windows, (Q, P, G)."""
    return iou_over_lengths(stack(predicted, 3, at_most=within), stack(truths, 2))

"""Average precision of ranked windows against the true windows of a query."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.overlap import Array, iou_over_lengths

AP_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""The lowest IoU at which a window counts as found: 0.50, 0.55, ... 0.95 (COCO's ten values)."""

Flags = npt.NDArray[np.bool_]


def best_scores_first(predicted: Array) -> Array:
    """Sort windows by descending score; equal scores keep their order.

    Args:
        predicted: (Q, P, 3) [start, end, score].

    Returns:
        (Q, P, 3).
    """
    order = np.argsort(-predicted[..., 2], axis=1, kind="stable")
    return np.take_along_axis(predicted, order[..., None], axis=1)


def true_positives(iou: Array, thresholds: Array) -> Flags:
    """Decide which predictions, in list order, find a true window that no earlier prediction found.

    At each threshold, a prediction takes a free true window with a high enough IoU. Of several such
    windows, the prediction takes the window with the highest IoU; of two equal windows, it takes
    the later one, because the original code sorts in reverse order.

    Args:
        iou: (Q, P, G) IoU of predictions and true windows.
        thresholds: (K,).

    Returns:
        bool (Q, P, K).
    """
    iou = iou[:, :, ::-1, None]
    free = np.ones((iou.shape[0], iou.shape[2], len(thresholds)), dtype=bool)  # (Q, G, K)
    found = np.zeros((*iou.shape[:2], len(thresholds)), dtype=bool)
    for rank in range(iou.shape[1]):
        able = free & (iou[:, rank] >= thresholds)
        found[:, rank] = able.any(axis=1)
        taken = np.where(able, iou[:, rank], -1).argmax(axis=1)[:, None]
        still = np.take_along_axis(free, taken, axis=1) & ~found[:, rank, None]
        np.put_along_axis(free, taken, still, axis=1)
    return found


def area_over_recall(found: Flags, truths: npt.NDArray[np.int_]) -> Array:
    """Compute the area under precision over recall, with monotone precision (from the right).

    Recall grows by 1 / truths at every true positive and at no other prediction. So the area is a
    sum over the true positives (VOC 2010's all-point AP).

    Args:
        found: bool (Q, P, K), best prediction first.
        truths: (Q,) number of true windows of each query, at least one.

    Returns:
        (Q, K) in [0, 1].
    """
    ranks = np.arange(1, found.shape[1] + 1)[:, None]
    precision = np.cumsum(found, axis=1) / ranks
    monotone = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area: Array = (monotone * found).sum(axis=1) / truths[:, None]
    return area


def average_precision(
    predicted: Array, truths: Array, thresholds: tuple[float, ...] = AP_THRESHOLDS
) -> Array:
    """Compute the AP of each query at each IoU threshold.

    Args:
        predicted: (Q, P, 3) [start, end, score], padded with NaN (`overlap.stack`).
        truths: (Q, G, 2) [start, end], padded with NaN; at least one true window per query.
        thresholds: K values of IoU.

    Returns:
        (Q, K) in [0, 1]; 0 for a query without predictions.
    """
    iou = iou_over_lengths(best_scores_first(predicted), truths)
    found = true_positives(iou, np.asarray(thresholds))
    return area_over_recall(found, np.isfinite(truths[..., 0]).sum(axis=1))

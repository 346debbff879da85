"""Average precision of ranked windows against the true windows of a query."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.overlap import Array, iou_over_lengths

AP_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""IoU at which a window counts as found: 0.50, 0.55, ... 0.95 (COCO's ten)."""

Flags = npt.NDArray[np.bool_]


def best_scores_first(predicted: Array) -> Array:
    """(Q, P, 3) [start, end, score] by descending score; equal scores keep their order."""
    order = np.argsort(-predicted[..., 2], axis=1, kind="stable")
    return np.take_along_axis(predicted, order[..., None], axis=1)


def true_positives(iou: Array, thresholds: Array) -> Flags:
    """(Q, P, K): which predictions, taken in order, find a true window nobody found before.

    iou: (Q, P, G). At each of the K thresholds a prediction takes the free window it overlaps
    most, among those it overlaps enough (the later of two it overlaps equally, as the originals'
    reversed argsort does).
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
    """(Q, K): area under precision over recall, precision made monotone from the right.

    found: (Q, P, K), best first; truths: (Q,) true windows of each query, at least one. Recall
    grows by 1 / truths at every true positive and nowhere else, so the area is a sum over those
    (VOC 2010's all-point AP).
    """
    ranks = np.arange(1, found.shape[1] + 1)[:, None]
    precision = np.cumsum(found, axis=1) / ranks
    monotone = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area: Array = (monotone * found).sum(axis=1) / truths[:, None]
    return area


def average_precision(
    predicted: Array, truths: Array, thresholds: tuple[float, ...] = AP_THRESHOLDS
) -> Array:
    """(Q, K): AP of each query at each IoU threshold, in [0, 1].

    predicted: (Q, P, 3), truths: (Q, G, 2), both padded with NaN (`overlap.stack`); every query
    has at least one true window. A query without predictions has an AP of 0.
    """
    iou = iou_over_lengths(best_scores_first(predicted), truths)
    found = true_positives(iou, np.asarray(thresholds))
    return area_over_recall(found, np.isfinite(truths[..., 0]).sum(axis=1))

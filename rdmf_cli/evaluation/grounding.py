"""Charades-STA, TACoS, ActivityNet Captions, Ego4D-NLQ: one sentence, one moment.

Gao, Sun, Yang, Nevatia, "TALL: Temporal Activity Localization via Language Query", ICCV 2017. Three
forms of scores exist: the form of the DETR family (IoU >= t, no suppression), the form of 2D-TAN
(Zhang, Peng, Fu, Luo, "Learning 2D Temporal Adjacent Networks", AAAI 2020: IoU > t after
suppression), and the form of Ego4D (Grauman et al., "Ego4D", CVPR 2022: IoU > t, no suppression).
Arguments and results are as in `retrieval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from rdmf_cli.evaluation.overlap import Array, Windows, iou_over_lengths, stack
from rdmf_cli.evaluation.retrieval import (
    LENGTH_GROUPS,
    RECALL_THRESHOLDS,
    WITHIN,
    by_length,
    mean_average_precision,
    mean_iou,
    moment_scores,
    recall,
)

THRESHOLDS = (0.3, 0.5, 0.7)
LEGACY_THRESHOLDS = (0.1, *THRESHOLDS)
"""2D-TAN also prints the score at 0.1 for TACoS."""


def moment_metrics(predicted: Sequence[Windows], truths: Sequence[Windows]) -> dict[str, Any]:
    """Score by the rules of the DETR family: IoU >= t, no suppression.

    Args:
        predicted: (P, 3) windows [start, end, score] of each query, seconds, best first.
        truths: (G, 2) moments [start, end] of each query, seconds; at least one moment per query.

    Returns:
        {"full" | "short" | "middle" | "long": {"MR-R1", "MR-R5", "MR-mIoU", "MR-mAP", "queries"}}
        in per cent.
    """
    return by_length(predicted, truths, _moment_scores)


def _moment_scores(predicted: Sequence[Windows], truths: Sequence[Windows]) -> dict[str, Any]:
    average = mean_average_precision(predicted, truths)
    return {**moment_scores(predicted, truths), "MR-mAP": average}


def ego4d_metrics(predicted: Sequence[Windows], truths: Sequence[Windows]) -> dict[str, Any]:
    """Score by the rules of Ego4D's script: IoU > t, no suppression.

    Args:
        predicted: (P, 3) windows [start, end, score] of each query, seconds, best first.
        truths: (G, 2) moments [start, end] of each query, seconds; at least one moment per query.

    Returns:
        The groups of `moment_metrics`, without mAP.
    """
    return by_length(predicted, truths, partial(moment_scores, strict=True))


def legacy_metrics(
    predicted: Sequence[Windows], truths: Sequence[Windows], nms: float
) -> dict[str, Any]:
    """Score by 2D-TAN's rules: IoU > t after non-maximum suppression.

    Args:
        predicted: (P, 3) windows [start, end, score] of each query, seconds, best first.
        truths: (G, 2) moments [start, end] of each query, seconds; at least one moment per query.
        nms: A window is suppressed if its IoU with a better window is above this number.

    Returns:
        The groups of `moment_metrics`, without mAP, and with recall at IoU 0.1.
    """
    return by_length(suppressed(predicted, nms), truths, _legacy_scores)


def _legacy_scores(predicted: Sequence[Windows], truths: Sequence[Windows]) -> dict[str, Any]:
    thresholds = (LEGACY_THRESHOLDS[0], *RECALL_THRESHOLDS)
    return {
        "MR-R1": recall(predicted, truths, thresholds, strict=True),
        "MR-R5": recall(predicted, truths, thresholds, within=WITHIN, strict=True),
        "MR-mIoU": mean_iou(predicted, truths),
    }


def suppressed(predicted: Sequence[Windows], nms: float) -> list[Array]:
    """Return the windows of each query that 2D-TAN's rules use, (5, 3) padded with NaN."""
    return [greedy_nms(stack([windows], 3), nms, WITHIN)[0] for windows in predicted]


def greedy_nms(predicted: Array, threshold: float, keep: int) -> Array:
    """Suppress windows greedily, in list order (non-maximum suppression).

    Args:
        predicted: (Q, P, 3), best first, padded with NaN.
        threshold: A window is suppressed if its IoU with a better window is above this number.
        keep: The largest number of windows that stay.

    Returns:
        (Q, keep, 3), padded with NaN.
    """
    kept = np.full((len(predicted), keep, 3), np.nan)
    alive = np.isfinite(predicted[..., 0])
    for rank in range(keep if predicted.shape[1] else 0):
        first = alive.argmax(axis=1)[:, None]
        chosen = np.take_along_axis(predicted, first[..., None], axis=1)  # (Q, 1, 3)
        chosen[~alive.any(axis=1)] = np.nan
        kept[:, rank] = chosen[:, 0]
        alive &= iou_over_lengths(chosen, predicted)[:, 0] <= threshold
        np.put_along_axis(alive, first, False, axis=1)
    return kept


def brief(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Return the numbers that papers print, with the names that CG-DETR's evaluator gives them."""
    full = metrics["full"]
    printed = [t for t in full["MR-R1"] if float(t) in LEGACY_THRESHOLDS]
    short = {f"MR-full-{name}@{t}": full[f"MR-{name}"][t] for name in ("R1", "R5") for t in printed}
    short["MR-full-mIoU"] = full["MR-mIoU"]
    if "MR-mAP" in full:
        short["MR-full-mAP"] = full["MR-mAP"]["average"]
        short |= {f"MR-full-mAP@{t}": full["MR-mAP"][t] for t in ("0.5", "0.75")}
        short |= {f"MR-{g}-mAP": metrics[g]["MR-mAP"]["average"] for g in LENGTH_GROUPS}
    short |= {f"MR-{g}-mIoU": metrics[g]["MR-mIoU"] for g in LENGTH_GROUPS}
    return short

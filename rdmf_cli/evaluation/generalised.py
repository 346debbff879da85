"""Generalised moment retrieval (Soccer-GMR): queries with any number of moments, also none.

Ding et al., "Retrieving Any Relevant Moments: Benchmark and Models for Generalized Moment
Retrieval", 2026 (arXiv 2605.02623); the rules and names as in its evaluator
(dymm9977/generalized-moment-retrieval). Arguments and results as in `retrieval`, but a query may
have no true window.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.detection import AP_THRESHOLDS
from rdmf_cli.evaluation.matching import matched_overlaps, matches
from rdmf_cli.evaluation.overlap import Array
from rdmf_cli.evaluation.presence import PRESENCE_THRESHOLDS, presence_metrics
from rdmf_cli.evaluation.retrieval import (
    PREDICTIONS_SCORED,
    Percent,
    average_precisions,
    percent,
)

RANKS = (1, 3, 5)
"""How many predictions are looked at."""

GATE = PRESENCE_THRESHOLDS[0]
"""G-mIoU takes a query to be shown nowhere where its presence is not above."""


def moment_metrics(
    predicted: Sequence[Array], truths: Sequence[Array], presence: Array
) -> dict[str, Percent]:
    """Score by the rules of Soccer-GMR.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query.
        presence: (Q,) how sure it is that each query is shown.

    Returns:
        "AUROC", "Rej-F1@0.4", "Acc@0.4", …; "G-mIoU@k" over all queries; "mAP", "mR@k" and
        "mIoU@k" over the queries with a moment; "mR+@k" and "mIoU+@k" over those with several.
    """
    shown = np.array([len(distinct(row)) > 0 for row in truths])
    columns = query_columns(predicted, truths, presence)
    means = {
        name: percent(column[np.isfinite(column)])
        for name, column in columns.items()
        if not name.startswith("Acc@")  # which stand beside Rej-F1
    }
    return {**presence_metrics(presence, shown), **means}


def query_columns(
    predicted: Sequence[Array], truths: Sequence[Array], presence: Array
) -> dict[str, Array]:
    """Return what each query adds to each mean over queries.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query.
        presence: (Q,) how sure it is that each query is shown.

    Returns:
        (Q,) in [0, 1] by name; NaN where a query adds nothing.
    """
    truths = [distinct(row) for row in truths]
    moments = np.array([len(row) for row in truths])
    columns = {
        f"Acc@{t:g}": ((presence > t) == (moments > 0)).astype(np.float64)
        for t in PRESENCE_THRESHOLDS
    }
    gated = [
        _with_length(windows[:PREDICTIONS_SCORED]) if sure > GATE else windows[:0]
        for windows, sure in zip(predicted, presence, strict=True)
    ]
    columns |= {f"G-mIoU@{k}": set_overlap(gated, truths, k) for k in RANKS}
    for least, made in ((1, _columns), (2, _further_columns)):
        kept = moments >= least
        if kept.any():
            some = np.flatnonzero(kept).tolist()
            found = made([predicted[q] for q in some], [truths[q] for q in some])
            columns |= {name: _placed(values, kept) for name, values in found.items()}
    return columns


def distinct(windows: Array) -> Array:
    """Keep each true window (G, 2) that has a length once, by start."""
    rows: Array = np.unique(_with_length(windows), axis=0)
    return rows


def set_overlap(predicted: Sequence[Array], truths: Sequence[Array], k: int) -> Array:
    """Compute the IoU of the first k predictions and the moments as sets.

    This is the summed IoU of the matched pairs over the number of windows in either set, with a
    pair counted once.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query.
        k: number of predictions that count.

    Returns:
        (Q,) in [0, 1]; 1 where both sets are empty.
    """
    sizes = np.array([min(len(row), k) for row in predicted]) + [len(row) for row in truths]
    pairs = matched_overlaps(predicted, truths, k)
    union = sizes - np.isfinite(pairs).sum(axis=1)
    overlap = np.nansum(pairs, axis=1)
    found: Array = np.where(union > 0, overlap / np.maximum(union, 1), 1.0)
    return found


def _columns(predicted: Sequence[Array], truths: Sequence[Array]) -> dict[str, Array]:
    """Of queries with a moment."""
    moments = np.array([len(row) for row in truths])
    columns: dict[str, Array] = {"mAP": average_precisions(predicted, truths).mean(axis=1)}
    for k in RANKS:
        found = matches(predicted, truths, k, AP_THRESHOLDS).mean(axis=1)
        columns[f"mR@{k}"] = found / moments
        columns[f"mIoU@{k}"] = _mean_of(matched_overlaps(predicted, truths, k))
    return columns


def _further_columns(predicted: Sequence[Array], truths: Sequence[Array]) -> dict[str, Array]:
    """Score queries with several moments: how many are found beyond the first, and the best one."""
    moments = np.array([len(row) for row in truths])
    columns: dict[str, Array] = {}
    for k in RANKS:
        found = np.maximum(matches(predicted, truths, k, AP_THRESHOLDS) - 1, 0).mean(axis=1)
        columns[f"mR+@{k}"] = found / (moments - 1)
        pairs = np.sort(matched_overlaps(predicted, truths, k), axis=1)  # NaN goes last
        last = np.isfinite(pairs).sum(axis=1) - 1
        best = np.arange(pairs.shape[1]) == last[:, None]
        columns[f"mIoU+@{k}"] = _mean_of(np.where(best, np.nan, pairs))
    return columns


def _mean_of(pairs: Array) -> Array:
    """(Q,): mean over the pairs that there are; 0 where there are none."""
    counts = np.isfinite(pairs).sum(axis=1)
    mean: Array = np.nansum(pairs, axis=1) / np.maximum(counts, 1)
    return mean


def _with_length(windows: Array) -> Array:
    return windows[windows[:, 1] > windows[:, 0]]


def _placed(values: Array, where: npt.NDArray[np.bool_]) -> Array:
    column = np.full(len(where), np.nan)
    column[where] = values
    return column

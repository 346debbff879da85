"""Generalised moment retrieval (Soccer-GMR): a query may have any number of moments, or none.

Ding et al., "Retrieving Any Relevant Moments: Benchmark and Models for Generalized Moment
Retrieval", 2026 (arXiv 2605.02623). The rules and names are those of its evaluator
(dymm9977/generalized-moment-retrieval). Arguments and results are as in `retrieval`, except that a
query may have no true window.
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
"""The largest number of predictions that are used."""

GATE = PRESENCE_THRESHOLDS[0]
"""G-mIoU takes a query as not shown if its presence is not above this number."""


def moment_metrics(
    predicted: Sequence[Array], truths: Sequence[Array], presence: Array
) -> dict[str, Percent]:
    """Score by the rules of Soccer-GMR.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query.
        presence: (Q,) the predicted probability that each query is shown.

    "AUROC", "Rej-F1@0.4", "Acc@0.4", …; "G-mIoU@k" over all queries; "mAP", "mR@k" and "mIoU@k"
    over the queries with a moment; "mR+@k" and "mIoU+@k" over the queries with several moments.
    """
    shown = np.array([len(distinct(row)) > 0 for row in truths])
    columns = query_columns(predicted, truths, presence)
    means = {
        name: percent(column[np.isfinite(column)])
        for name, column in columns.items()
        if not name.startswith("Acc@")  # Acc@ stands beside Rej-F1
    }
    return {**presence_metrics(presence, shown), **means}


def query_columns(
    predicted: Sequence[Array], truths: Sequence[Array], presence: Array
) -> dict[str, Array]:
    """Return the value of each query in each mean over queries.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query.
        presence: (Q,) the predicted probability that each query is shown.

    Returns:
        (Q,) in [0, 1] by name; NaN if the query does not count in the mean.
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
    """Return the windows (G, 2) ordered by start, without duplicates and windows of length 0."""
    rows: Array = np.unique(_with_length(windows), axis=0)
    return rows


def set_overlap(predicted: Sequence[Array], truths: Sequence[Array], k: int) -> Array:
    """Compute the IoU of two sets: the first k predictions and the moments.

    The IoU of the sets is the sum of the IoUs of the matched pairs, divided by the number of
    windows in both sets, with each matched pair counted as one window.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query.
        k: how many of the first predictions of a query are considered.

    Returns:
        (Q,) in [0, 1]; 1 if both sets are empty.
    """
    sizes = np.array([min(len(row), k) for row in predicted]) + [len(row) for row in truths]
    pairs = matched_overlaps(predicted, truths, k)
    union = sizes - np.isfinite(pairs).sum(axis=1)
    overlap = np.nansum(pairs, axis=1)
    found: Array = np.where(union > 0, overlap / np.maximum(union, 1), 1.0)
    return found


def _columns(predicted: Sequence[Array], truths: Sequence[Array]) -> dict[str, Array]:
    """Return the columns of queries that have a moment."""
    moments = np.array([len(row) for row in truths])
    columns: dict[str, Array] = {"mAP": average_precisions(predicted, truths).mean(axis=1)}
    for k in RANKS:
        found = matches(predicted, truths, k, AP_THRESHOLDS).mean(axis=1)
        columns[f"mR@{k}"] = found / moments
        columns[f"mIoU@{k}"] = _mean_of(matched_overlaps(predicted, truths, k))
    return columns


def _further_columns(predicted: Sequence[Array], truths: Sequence[Array]) -> dict[str, Array]:
    """Score queries with several moments, without the first found moment or the best pair."""
    moments = np.array([len(row) for row in truths])
    columns: dict[str, Array] = {}
    for k in RANKS:
        found = np.maximum(matches(predicted, truths, k, AP_THRESHOLDS) - 1, 0).mean(axis=1)
        columns[f"mR+@{k}"] = found / (moments - 1)
        pairs = np.sort(matched_overlaps(predicted, truths, k), axis=1)  # NaN comes last
        last = np.isfinite(pairs).sum(axis=1) - 1
        best = np.arange(pairs.shape[1]) == last[:, None]
        columns[f"mIoU+@{k}"] = _mean_of(np.where(best, np.nan, pairs))
    return columns


def _mean_of(pairs: Array) -> Array:
    """Return the mean (Q,) over the existing pairs; 0 if there is no pair."""
    counts = np.isfinite(pairs).sum(axis=1)
    mean: Array = np.nansum(pairs, axis=1) / np.maximum(counts, 1)
    return mean


def _with_length(windows: Array) -> Array:
    return windows[windows[:, 1] > windows[:, 0]]


def _placed(values: Array, where: npt.NDArray[np.bool_]) -> Array:
    column = np.full(len(where), np.nan)
    column[where] = values
    return column

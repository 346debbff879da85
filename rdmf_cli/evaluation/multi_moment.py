"""QV-M²: queries with several moments.

Cao, Du, Zhang, Yu, Li, Wang, "When One Moment Isn't Enough: Multi-Moment Retrieval with
Cross-Moment Interactions", NeurIPS 2025. The rules and names are those of its evaluator
(Zhuo-Cao/QV-M2, standalone_eval). Arguments and results are as in `retrieval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.matching import matched_overlaps, matches
from rdmf_cli.evaluation.overlap import Array, Windows
from rdmf_cli.evaluation.retrieval import (
    RECALL_THRESHOLDS,
    Percent,
    average_precisions,
    by_length,
    by_threshold,
    percent,
)

RANKS = (1, 2, 3)
"""The values of k: how many of the first predictions of a query are considered."""

MANY = 3  # moments; queries with this number or more are averaged by number


def moment_metrics(predicted: Sequence[Windows], truths: Sequence[Windows]) -> dict[str, Any]:
    """Score by the rules of QV-M².

    Recall and mIoU within k predictions are means over the queries with k moments or more.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query, at least one.

    Returns:
        {"full" | "short" | "middle" | "long": {"MR-mAP", "MR-R1", "MR-R2", "MR-R3", "MR-mR1", …,
        "MR-mIoU@1", …, "queries"}}. MR-mAP holds "Generalized_mAP", the mean over all queries, and
        the mean over the queries with 1, 2, and 3 or more moments ("1_tgt_mAP", …).
    """
    return by_length(predicted, truths, _scores)


def _scores(predicted: Sequence[Windows], truths: Sequence[Windows]) -> dict[str, Any]:
    moments = np.array([len(row) for row in truths], dtype=np.int_)
    ap: Array = average_precisions(predicted, truths).mean(axis=1)
    found: dict[str, Any] = {
        "MR-mAP": {
            "1_tgt_mAP": percent(ap[moments == 1]),
            "2_tgt_mAP": percent(ap[moments == 2]),
            ">=3_tgt_mAP": _mean_of_groups(ap, moments),
            "Generalized_mAP": percent(ap),
        }
    }
    for k in RANKS:
        recall = recall_within(predicted, truths, k)[moments >= k]
        found[f"MR-R{k}"] = by_threshold(recall, RECALL_THRESHOLDS)
        found[f"MR-mR{k}"] = percent(recall)
        found[f"MR-mIoU@{k}"] = percent(overlap_within(predicted, truths, k)[moments >= k])
    return found


def _mean_of_groups(ap: Array, moments: npt.NDArray[np.int_]) -> Percent:
    """Average the means over queries with 3, 4, … moments; all means have the same weight."""
    means = [ap[moments == number].mean() for number in np.unique(moments[moments >= MANY])]
    return percent(np.array(means))


def recall_within(predicted: Sequence[Windows], truths: Sequence[Windows], k: int) -> Array:
    """Compute the share (Q, 14) of k predictions that find a moment, at IoU 0.3 … 0.95."""
    return matches(predicted, truths, k, RECALL_THRESHOLDS) / k


def overlap_within(predicted: Sequence[Windows], truths: Sequence[Windows], k: int) -> Array:
    """Compute the mean IoU (Q,) of the first k predictions with their matched moments; else 0."""
    mean: Array = np.nan_to_num(matched_overlaps(predicted, truths, k)).sum(axis=1) / k
    return mean


def brief(metrics: dict[str, Any]) -> dict[str, Percent]:
    """Return the numbers of the paper's tables, by the evaluator's names."""
    full = metrics["full"]
    average = full["MR-mAP"]
    return {
        "MR-full-mAP": average["Generalized_mAP"],
        "MR-full-mAP@1_tgt": average["1_tgt_mAP"],
        "MR-full-mAP@2_tgt": average["2_tgt_mAP"],
        "MR-full-mAP@3+tgt": average[">=3_tgt_mAP"],
        **{f"MR-full-mIoU@{k}": full[f"MR-mIoU@{k}"] for k in RANKS},
        **{f"MR-full-mR{k}": full[f"MR-mR{k}"] for k in RANKS},
    }


def query_columns(predicted: Sequence[Windows], truths: Sequence[Windows]) -> dict[str, Array]:
    """Return the value of each query in each mean over queries.

    Args:
        predicted: (P, 3) windows of each query, best first.
        truths: (G, 2) true windows of each query, at least one.

    Returns:
        (Q,) in [0, 1] by name; NaN if the query does not count in the mean.
    """
    moments = np.array([len(row) for row in truths])
    ap: Array = average_precisions(predicted, truths).mean(axis=1)
    columns = {"MR-full-mAP": ap}
    columns |= {f"MR-full-mAP@{n}_tgt": np.where(moments == n, ap, np.nan) for n in (1, 2)}
    for k in RANKS:
        counted = moments >= k
        overlap = overlap_within(predicted, truths, k)
        recall = recall_within(predicted, truths, k).mean(axis=1)
        columns[f"MR-full-mIoU@{k}"] = np.where(counted, overlap, np.nan)
        columns[f"MR-full-mR{k}"] = np.where(counted, recall, np.nan)
    return {name: column for name, column in columns.items() if np.isfinite(column).any()}

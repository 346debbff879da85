"""Metrics of presence: how well it separates queries with moments from queries without.

Ding et al., "Retrieving Any Relevant Moments: Benchmark and Models for Generalized Moment
Retrieval", 2026 (arXiv 2605.02623), whose evaluator is dymm9977/generalized-moment-retrieval.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.calibration import auroc
from rdmf_cli.evaluation.overlap import Array
from rdmf_cli.evaluation.predictions import Prediction
from rdmf_cli.evaluation.retrieval import Percent

PRESENCE_THRESHOLDS = (0.4, 0.6)
"""A query is taken to be shown where its presence is above."""

Flags = npt.NDArray[np.bool_]


def presence_of(prediction: Prediction) -> float:
    """Tell how sure a prediction is that its query is shown.

    Its own presence (`pred_exist_score`) where it has one, else its highest window score; of
    windows without scores 1. 0 without windows.
    """
    if prediction.presence is not None:
        return prediction.presence
    if prediction.windows is None or not len(prediction.windows):
        return 0.0
    return float(prediction.windows[:, 2].max())


def presence_metrics(presence: Array, shown: Flags) -> dict[str, Percent]:
    """Score presence against whether queries have a moment.

    Args:
        presence: (Q,).
        shown: (Q,).

    Returns:
        "AUROC" (None where all queries are shown, or none is), and at each threshold "Rej-F1@t",
        the F1 of finding the queries without a moment, and "Acc@t", in per cent.
    """
    area = auroc(presence, shown)
    found: dict[str, Percent] = {"AUROC": None if area is None else 100 * area}
    for threshold in PRESENCE_THRESHOLDS:
        taken = presence > threshold
        found[f"Rej-F1@{threshold:g}"] = 100 * rejection_f1(taken, shown)
        found[f"Acc@{threshold:g}"] = 100 * float((taken == shown).mean())
    return found


def rejection_f1(taken: Flags, shown: Flags) -> float:
    """Compute the F1 of rejecting queries that are shown nowhere; 0 where none is right.

    Args:
        taken: (Q,) True where a query was taken to be shown.
        shown: (Q,) True where it is.
    """
    right = int((~taken & ~shown).sum())
    return 2 * right / max(int((~taken).sum() + (~shown).sum()), 1)

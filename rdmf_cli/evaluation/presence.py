"""Metrics of presence: how well presence separates queries with moments from queries without.

Ding et al., "Retrieving Any Relevant Moments: Benchmark and Models for Generalized Moment
Retrieval", 2026 (arXiv 2605.02623). The published evaluator is
dymm9977/generalized-moment-retrieval.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.calibration import auroc
from rdmf_cli.evaluation.overlap import Array
from rdmf_cli.evaluation.predictions import Prediction
from rdmf_cli.evaluation.retrieval import Percent

PRESENCE_THRESHOLDS = (0.4, 0.6)
"""A query is taken as shown if its presence is above this number."""

Flags = npt.NDArray[np.bool_]


def presence_of(prediction: Prediction) -> float:
    """Return the predicted probability that the query of a prediction is shown.

    The result is the presence of the prediction (`pred_exist_score`), if the prediction has one. If
    not, the result is the highest window score: 1 for windows without scores, 0 without windows.
    """
    if prediction.presence is not None:
        return prediction.presence
    if prediction.windows is None or not len(prediction.windows):
        return 0.0
    return float(prediction.windows[:, 2].max())


def presence_metrics(presence: Array, shown: Flags) -> dict[str, Percent]:
    """Score the presence of queries by whether the queries have a moment.

    Args:
        presence: (Q,).
        shown: (Q,).

    Returns:
        "AUROC" (None if all queries are shown, or none is shown). And at each threshold, in per
        cent: "Rej-F1@t", the F1 of finding the queries without a moment, and "Acc@t".
    """
    area = auroc(presence, shown)
    found: dict[str, Percent] = {"AUROC": None if area is None else 100 * area}
    for threshold in PRESENCE_THRESHOLDS:
        taken = presence > threshold
        found[f"Rej-F1@{threshold:g}"] = 100 * rejection_f1(taken, shown)
        found[f"Acc@{threshold:g}"] = 100 * float((taken == shown).mean())
    return found


def rejection_f1(taken: Flags, shown: Flags) -> float:
    """Compute the F1 of rejecting queries that are not shown; 0 if no rejection is right.

    Args:
        taken: (Q,) True if the query was taken as shown.
        shown: (Q,) True if the query is shown.
    """
    right = int((~taken & ~shown).sum())
    return 2 * right / max(int((~taken).sum() + (~shown).sum()), 1)

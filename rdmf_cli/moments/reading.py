"""`Reading`: what a head finds for one query in one video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rdmf_cli.fusion import Fields

PresenceBy = Literal["rates", "network"]


@dataclass(frozen=True)
class Reading:
    """What a head finds for one query in one video of L clips.

    Attributes:
        spans: (K, 2) [start, end] in seconds from the first clip, best first.
        scores: (K,) in [0, 1]: the expected IoU of each span if the query is shown at all, minus
            the redundancy.
        raw_scores: (K,) the scores before they are clipped to [0, 1]; descending.
        saliency: (L,) in [0, 1]: probability that a clip belongs to the answer; 0 at masked clips.
        saliency_raw: (L,) log-odds of the saliency.
        presence: in [0, 1]: probability that the query is shown anywhere.
        u: (C, L) substrate of the pattern.
        v: (C, L) activator of the pattern.
        trace: u and v over pseudo-time, (steps + 1, C, L) each; None if not asked for.
        presence_by: what computed presence: "rates" (fitted numbers) or "network".
    """

    spans: np.ndarray
    scores: np.ndarray
    raw_scores: np.ndarray
    saliency: np.ndarray
    saliency_raw: np.ndarray
    presence: float
    u: np.ndarray
    v: np.ndarray
    trace: Fields | None = None
    presence_by: PresenceBy = "rates"

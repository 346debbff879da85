"""What one query finds in one video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rdmf_cli.fusion import Fields

PresenceBy = Literal["rates", "network"]


@dataclass(frozen=True)
class Reading:
    """What one query finds in one video of L clips.

    spans:        (K, 2) [start, end] in seconds from the first clip, best first
    scores:       (K,) in [0, 1], the IoU expected of each if the query is shown at all, less what
                  it repeats of better ones
    raw_scores:   (K,) the same before it is kept within [0, 1]; descending
    saliency:     (L,) in [0, 1], chance that a clip belongs to the answer; 0 at masked clips
    saliency_raw: (L,) its log-odds
    presence:     in [0, 1], chance that the query is shown anywhere
    presence_by:  what told it: "rates" that were fitted, or the "network"
    u, v:         (C, L) the emergent pattern
    trace:        u and v over pseudo-time, (steps + 1, C, L) each, where it was asked for
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

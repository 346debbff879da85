"""From what the network says to what an answer holds; numpy, for torch and ONNX Runtime alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.moments.nms import suppress
from rdmf_cli.moments.reading import Reading

Array = npt.NDArray[np.floating]


def reading(
    pattern: Array,
    saliency: Array,
    presence: float,
    spans: Array,
    scores: Array,
    clip_length: float,
    duration: float | None,
    top_k: int,
    config: ModelConfig,
    overlap: float | None = None,
) -> Reading:
    """The answer for one query on one video of L clips, at most `top_k` moments.

    pattern:  (4, L) log-odds, as `Fused.pattern`; its chances are `v` of the reading, and what
              they leave is `u`
    saliency: (L,) logits, which only compare: they are set to the mean log-odds of the pattern
    presence: log-odds
    spans:    (K, 2) in clips; scores: (K,) log-odds; of the real slots alone
    clip_length, duration: seconds; None: spans may end with the last clip
    overlap:  IoU from which on the worse of two moments is dropped; None: the configuration's
    """
    scores = logistic(scores)
    order = np.zeros(len(scores), dtype=int)
    limit = config.overlap if overlap is None else overlap
    _, kept, raw = suppress(order, spans, scores, limit, top_k, config.redundancy, config.steepness)
    seconds = np.asarray(spans, float)[kept] * clip_length
    log_odds = np.asarray(saliency, float)
    log_odds = log_odds - log_odds.mean() + pattern[0].mean()
    v = logistic(pattern)
    return Reading(
        spans=seconds if duration is None else np.minimum(seconds, duration),
        scores=np.clip(raw, 0.0, 1.0),
        raw_scores=raw,
        saliency=logistic(log_odds),
        saliency_raw=log_odds,
        presence=float(logistic(np.asarray(presence))),
        u=1.0 - v,
        v=v,
        presence_by="network",
    )


def logistic(log_odds: Array) -> npt.NDArray[np.float64]:
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds, float)))

"""Turn the outputs of the network into a `Reading`; numpy, for torch and ONNX Runtime alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.moments.nms import Penalty, suppress
from rdmf_cli.moments.reading import Reading

Array = npt.NDArray[np.floating]


class Outputs(NamedTuple):
    """What the network gives for one query on one video of L clips.

    Attributes:
        pattern: (4, L) log-odds of the emergent pattern, one row per entry of `config.SCALES`;
            their probabilities become the reading's `v`, and 1 - v its `u`.
        saliency: (L,) logits, which are only comparable with each other: their mean is set to the
            mean log-odds of the pattern.
        presence: log-odds that the query is shown at all.
        spans: (K, 2) [start, end] in clips, of real slots alone.
        scores: (K,) log-odds of the expected IoU.
    """

    pattern: Array
    saliency: Array
    presence: float
    spans: Array
    scores: Array


def reading(
    outputs: Outputs,
    config: ModelConfig,
    *,
    clip_length: float,
    duration: float | None = None,
    top_k: int = 10,
    overlap: float | None = None,
) -> Reading:
    """Turn the network's outputs for one query on one video of L clips into a `Reading`.

    Args:
        outputs: the outputs.
        config: the head's configuration.
        clip_length: seconds.
        duration: seconds, where spans end at the latest; None: the end of the last clip.
        top_k: number of moments at most.
        overlap: IoU of two moments from which on the worse one is dropped; None: that of `config`.
    """
    scores = logistic(outputs.scores)
    order = np.zeros(len(scores), dtype=int)
    limit = config.overlap if overlap is None else overlap
    penalty = Penalty(config.redundancy, config.steepness)
    _, kept, raw = suppress(order, outputs.spans, scores, limit, top_k, penalty)
    seconds = np.asarray(outputs.spans, float)[kept] * clip_length
    log_odds = np.asarray(outputs.saliency, float)
    log_odds = log_odds - log_odds.mean() + outputs.pattern[0].mean()
    v = logistic(outputs.pattern)
    return Reading(
        spans=seconds if duration is None else np.minimum(seconds, duration),
        scores=np.clip(raw, 0.0, 1.0),
        raw_scores=raw,
        saliency=logistic(log_odds),
        saliency_raw=log_odds,
        presence=float(logistic(np.asarray(outputs.presence))),
        u=1.0 - v,
        v=v,
        presence_by="network",
    )


def logistic(log_odds: Array) -> npt.NDArray[np.float64]:
    """Map log-odds (...) to probabilities in [0, 1]."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds, float)))

"""Turn the outputs of the network, from torch or ONNX Runtime, into a `Reading`, in numpy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.moments.nms import Penalty, suppress
from rdmf_cli.moments.reading import Reading

Array = npt.NDArray[np.floating]


class Outputs(NamedTuple):
    """The outputs of the network for one query on one video of L clips.

    Attributes:
        pattern: (4, L) log-odds of the pattern, one row per entry of `config.SCALES`. The reading's
            `v` is their probabilities, and its `u` is 1 - v.
        saliency: (L,) logits. Only the differences between them have a meaning, so the reading
            shifts them: their mean becomes the mean log-odds of the pattern.
        presence: log-odds that the query is shown at all.
        spans: (K, 2) [start, end] in clips, without padding slots.
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
        clip_length: length of a clip in seconds.
        duration: latest end of a span in seconds; None: the end of the last clip.
        top_k: largest number of moments.
        overlap: lowest IoU of two moments at which the worse moment is dropped; None: the value in
            `config`.
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

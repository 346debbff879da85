"""Predict the moments of annotated samples by a head, in the form for scoring."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rdmf_cli.datasets import Dataset, Sample, Samples
from rdmf_cli.evaluation.overlap import Array, to_grid
from rdmf_cli.evaluation.predictions import Prediction, Predictions
from rdmf_cli.heads.base import Head
from rdmf_cli.moments import Reading

TOP_K = 10  # windows per query; mean average precision uses no more windows
TOGETHER = 64  # samples per read


def predict(samples: Samples, dataset: Dataset, head: Head) -> Predictions:
    """Predict every sample: windows in seconds, best first, rounded by the rules of the data set.

    If a sample has labels, its saliency is the saliency of the labelled clips.

    Raises:
        RdmfError: a feature file cannot be read, or does not fit its annotation.
    """
    entries = [
        _prediction(sample, reading, dataset)
        for some in _groups(samples)
        for sample, reading in zip(some, head.read_many(some, top_k=TOP_K), strict=True)
    ]
    return Predictions(samples.annotations.path, entries)


def _groups(samples: Samples) -> Iterator[list[Sample]]:
    for start in range(0, len(samples), TOGETHER):
        yield [samples[i] for i in range(start, min(start + TOGETHER, len(samples)))]


def _prediction(sample: Sample, reading: Reading, dataset: Dataset) -> Prediction:
    windows = np.column_stack([reading.spans, reading.raw_scores])
    if dataset.rounded:
        limit, duration = dataset.limit(sample.duration), sample.duration or np.inf
        windows = _rounded(windows, dataset.clip_length, limit, duration)
    saliency = sample.at_labels(reading.saliency_raw)
    return Prediction(
        sample.annotation.qid,
        windows,
        saliency,
        sample.annotation.vid,
        presence=float(reading.presence),
    )


def _rounded(windows: Array, clip_length: float, limit: float | None, duration: float) -> Array:
    """Round windows to the clip grid, as in published predictions, and to at least one clip."""
    windows = to_grid(windows, clip_length, limit)
    start, end = windows[:, 0].copy(), windows[:, 1].copy()
    empty = end <= start
    latest = duration + clip_length / 2 if limit is None else limit
    last = empty & (start >= clip_length) & (start + clip_length > latest)
    windows[last, 0] = start[last] - clip_length  # at the end of the video, extend backwards
    windows[empty & ~last, 1] = start[empty & ~last] + clip_length
    return windows

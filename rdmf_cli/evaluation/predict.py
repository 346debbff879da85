"""Predictions of a head on annotated samples, ready to be scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rdmf_cli.datasets import Dataset, Sample, Samples
from rdmf_cli.evaluation.overlap import Array, to_grid
from rdmf_cli.evaluation.predictions import Prediction, Predictions
from rdmf_cli.moments import Reading, TrainingFree

TOP_K = 10  # windows a query: mean average precision looks at no more


class Head(Protocol):
    """Whatever finds the moments of a sample."""

    def answer(self, sample: Sample, top_k: int) -> Reading:
        """At most `top_k` moments, best first, and the saliency of every clip."""
        ...


@dataclass(frozen=True)
class FromSimilarity:
    """The training-free head as one that reads samples, of which it needs similarity and change."""

    head: TrainingFree

    def answer(self, sample: Sample, top_k: int) -> Reading:
        return self.head.read(
            sample.similarity,
            sample.change,
            clip_length=sample.clip_length,
            duration=sample.duration,
            top_k=top_k,
        )


def predict(samples: Samples, dataset: Dataset, head: Head) -> Predictions:
    """One prediction a query, windows in seconds, best first, rounded as the dataset's are.

    Saliency is of the labelled clips where there are labels. RdmfError for a feature file that
    cannot be read, or does not fit its annotation.
    """
    entries = [_predict(sample, dataset, head) for sample in samples]
    return Predictions(samples.annotations.path, entries)


def _predict(sample: Sample, dataset: Dataset, head: Head) -> Prediction:
    reading = head.answer(sample, TOP_K)
    windows = np.column_stack([reading.spans, reading.raw_scores])
    if dataset.rounded:
        windows = _rounded(windows, dataset.clip_length, dataset.limit(sample.duration))
    saliency = sample.at_labels(reading.saliency_raw)
    return Prediction(sample.annotation.qid, windows, saliency, sample.annotation.vid)


def _rounded(windows: Array, clip_length: float, limit: float | None) -> Array:
    """On the clip grid, as published predictions are, and never shorter than a clip."""
    windows = to_grid(windows, clip_length, limit)
    windows[:, 1] = np.maximum(windows[:, 1], windows[:, 0] + clip_length)
    return windows

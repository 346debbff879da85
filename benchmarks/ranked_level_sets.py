"""Score a baseline: level sets of the smoothed similarity curve, ranked by gradient boosting.

    python benchmarks/ranked_level_sets.py FEATURES

The baseline has no fusion and no network. Candidates are the level sets of the similarity at four
widths of smoothing. Some thirty numbers describe each candidate, and a gradient-boosted regressor
(scikit-learn) predicts its IoU. It is trained on FEATURES/train.jsonl in seconds and scored on
FEATURES/val.jsonl. A network that is not better than this baseline is not worth its weights.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from sklearn.ensemble import HistGradientBoostingRegressor

from rdmf_cli.datasets import DATASETS, Sample, Samples, open_samples
from rdmf_cli.evaluation.retrieval import mean_average_precision, recall
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.moments.nms import Penalty, suppress

SIGMAS = (0.5, 1.0, 2.0, 4.0)  # clips
LEVELS = 16
TOP_K = 10


class Rule(NamedTuple):
    """The parameters of `suppress` for moments that overlap."""

    overlap: float
    redundancy: float
    steepness: float


AS_DEFINED = Rule(0.7, 0.0, 1.0)
RULES = {
    "baseline: level sets ranked by gradient boosting": AS_DEFINED,
    "the same baseline with the head's suppression": Rule(
        *(ModelConfig.model_fields[name].default for name in Rule._fields)
    ),
}


def level_sets(curve: np.ndarray) -> set[tuple[int, int]]:
    """Return the runs [start, end) of clips above each of 16 heights from minimum to maximum."""
    found = set()
    for height in np.linspace(curve.min(), curve.max(), LEVELS + 2)[1:-1]:
        turns = np.flatnonzero(np.diff(curve >= height, prepend=False, append=False))
        found.update(zip(turns[::2].tolist(), turns[1::2].tolist(), strict=True))
    return found


def candidates(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Return spans in clips (n, 2) and the numbers that describe each span (n, 33)."""
    s, clips = sample.similarity, len(sample.video)
    z = (s - s.mean()) / (s.std() + 0.02)
    curves = [z, *(gaussian_filter1d(z, sigma, mode="nearest") for sigma in SIGMAS)]
    found = set().union(*map(level_sets, curves[1:])) | {(0, clips)}
    spans = np.array(sorted(found))
    return spans, np.column_stack([*_stand_out(curves, spans), *_shape(sample, z, curves, spans)])


def _stand_out(curves: list[np.ndarray], spans: np.ndarray) -> list[np.ndarray]:
    """For every curve, return the mean inside, the mean around, and their difference."""
    (start, end), clips = spans.T, len(curves[0])
    margin = np.maximum(2, (end - start) // 2)
    left, right = np.maximum(0, start - margin), np.minimum(clips, end + margin)
    around = (start - left) + (right - end)
    columns = []
    for curve in curves:
        total = np.concatenate([[0.0], np.cumsum(curve)])
        inside = (total[end] - total[start]) / (end - start)
        both = total[start] - total[left] + total[right] - total[end]
        outside = np.where(around > 0, both / np.maximum(1, around), -1.0)
        columns += [inside, outside, inside - outside]
    return columns


def _shape(
    sample: Sample, z: np.ndarray, curves: list[np.ndarray], spans: np.ndarray
) -> list[np.ndarray]:
    """Describe length, place, visual change at the ends, extremes inside, and the whole video."""
    (start, end), clips = spans.T, len(z)
    width, s = end - start, sample.similarity
    change = np.concatenate([[1.0], sample.change, [1.0]])
    total = np.concatenate([[0.0], np.cumsum(z)])
    rest = total[-1] - (total[end] - total[start])
    inside = (total[end] - total[start]) / width
    video = (s.mean(), s.max(), s.std(), (z > 1).mean())
    return [
        width / clips,
        np.sqrt(width),
        start / clips,
        end / clips,
        np.where(width < clips, rest / np.maximum(1, clips - width), -1.0),
        change[start],
        change[end],
        np.array([z[a:b].max() for a, b in spans]),
        np.array([curves[2][a:b].min() for a, b in spans]),
        np.array([(curves[2] > mean).mean() for mean in inside]),
        *(np.full(len(spans), x) for x in video),
        start == 0,
        end == clips,
    ]


def overlaps(spans: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Return (n,): the highest IoU of each span (seconds) with a true window."""
    first = np.maximum(spans[:, None, 0], windows[None, :, 0])
    last = np.minimum(spans[:, None, 1], windows[None, :, 1])
    shared = np.maximum(last - first, 0)
    lengths = np.diff(spans) + np.diff(windows)[:, 0]
    return (shared / np.maximum(lengths - shared, 1e-9)).max(axis=1)


def seconds(spans: np.ndarray, sample: Sample) -> np.ndarray:
    return np.minimum(spans * sample.clip_length, sample.duration)


def bars(train: Samples, val: Samples) -> dict[str, dict[str, float]]:
    """Return R1@0.5, R1@0.7 and mAP on val, in per cent, with each of RULES."""
    ranker = _ranker(train)
    return {name: _scores(val, ranker, rule) for name, rule in RULES.items()}


def _ranker(train: Samples) -> HistGradientBoostingRegressor:
    """Fit the model that predicts the IoU of candidates."""
    described = [candidates(sample) for sample in train]
    goals = [
        overlaps(seconds(spans, sample), sample.annotation.windows)
        for (spans, _), sample in zip(described, train, strict=True)
    ]
    return HistGradientBoostingRegressor(
        max_iter=300,
        learning_rate=0.05,
        max_leaf_nodes=31,
        l2_regularization=1,
        min_samples_leaf=40,
        random_state=0,
    ).fit(np.concatenate([columns for _, columns in described]), np.concatenate(goals))


def _scores(val: Samples, ranker: HistGradientBoostingRegressor, rule: Rule) -> dict[str, float]:
    predicted = [_ranked(sample, ranker, rule) for sample in val]
    truths = [sample.annotation.windows for sample in val]
    found = recall(predicted, truths, (0.5, 0.7))
    average = mean_average_precision(predicted, truths)["average"]
    return {"R1@0.5": found["0.5"], "R1@0.7": found["0.7"], "mAP": average}


def _ranked(sample: Sample, ranker: HistGradientBoostingRegressor, rule: Rule) -> np.ndarray:
    """Return (P, 3): the ten best spans in seconds, with their predicted IoU."""
    spans, columns = candidates(sample)
    scores, spans = ranker.predict(columns), seconds(spans, sample)
    row = np.zeros(len(spans), dtype=int)
    penalty = Penalty(rule.redundancy, rule.steepness)
    _, kept, left = suppress(row, spans, scores, rule.overlap, TOP_K, penalty)
    return np.column_stack([spans[kept], left])


def main() -> None:
    folder = Path(sys.argv[1])
    train, val = (
        open_samples(DATASETS["qvhighlights"], folder / f"{split}.jsonl", features=folder)
        for split in ("train", "val")
    )
    for name, scores in bars(train, val).items():
        print(f"{name}: " + "  ".join(f"{metric} {x:.1f}" for metric, x in scores.items()))


if __name__ == "__main__":
    main()

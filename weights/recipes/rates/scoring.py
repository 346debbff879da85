"""Score a setting: candidates, a linear ranking scored on held-out folds, the metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import lsq_linear

from rdmf_cli.evaluation.detection import average_precision
from rdmf_cli.evaluation.overlap import iou_over_hull
from rdmf_cli.heads.training_free.field import curves
from rdmf_cli.heads.training_free.ranking import describe
from rdmf_cli.moments.nms import Penalty, span_iou, suppress
from rdmf_cli.moments.pattern import Candidates, level_sets
from recipes.rates.arms import Arm, Setting
from recipes.rates.data import FOLDS, Split

CLIP_LENGTH = 2.0  # seconds, of QVHighlights
LEVELS = 16
OVERLAP = 0.7
REDUNDANCY = 0.2
MOMENTS = 10  # per query; the metric uses no more moments
RIDGE = 1e-3  # as a share of the covariance of the standardised columns


@dataclass(frozen=True)
class Described:
    """The candidates of a split, the numbers that describe each, and their true IoU."""

    candidates: Candidates
    columns: np.ndarray
    iou: np.ndarray

    @property
    def signs(self) -> np.ndarray:
        """Return the signs: numbers inside raise a candidate's rank, numbers around lower it."""
        curves = (self.columns.shape[1] - 2) // 2
        signs: np.ndarray = np.r_[np.ones(curves), -np.ones(curves), 0, 0]
        return signs


def described(split: Split, arm: Arm, setting: Setting) -> Described:
    pattern = arm.pattern(split, setting)
    found = level_sets(pattern, split.mask, LEVELS)
    seen = curves(split.z, pattern)
    unlit = setting["dark"] if arm.smooths_similarity else 0.0
    dark = np.array([setting["dark"], *[unlit] * pattern.shape[1]])
    columns = describe(seen, split.mask, found, CLIP_LENGTH, dark)
    spans = seconds(split, found.row, found.start, found.end)
    return Described(found, columns, true_iou(split, found.row, spans))


def true_iou(split: Split, row: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """Return (n,): the highest IoU of a span with a true window; few queries have more than two."""
    best = np.zeros(len(row))
    count = np.isfinite(split.windows[..., 0]).sum(axis=1)[row]
    for n in range(split.windows.shape[1]):
        has = np.flatnonzero(count > n)
        best[has] = np.maximum(best[has], span_iou(spans[has], split.windows[row[has], n]))
    return best


def seconds(split: Split, row: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return (n, 2): whole clips, as the field rounds predictions, within the video."""
    spans = np.stack([start, end], axis=1) * CLIP_LENGTH
    clipped: np.ndarray = np.minimum(spans, split.duration[row, None])
    return clipped


@dataclass(frozen=True)
class NormalEquations:
    """The sums that least squares needs of columns x and target y: count, sums and products."""

    products: np.ndarray  # products of [1, x, y] with itself

    @classmethod
    def of(cls, columns: np.ndarray, target: np.ndarray) -> NormalEquations:
        joint = np.column_stack([np.ones(len(target)), columns, target])
        return cls(joint.T @ joint)

    def solve(self, signs: np.ndarray) -> tuple[np.ndarray, float]:
        """Return weights and offset of least squares with a small ridge and fixed signs."""
        mean = self.products[0] / self.products[0, 0]
        covariance = self.products / self.products[0, 0] - np.outer(mean, mean)
        scale = np.sqrt(np.maximum(np.diag(covariance)[1:-1], 0)) + 1e-9
        x = covariance[1:-1, 1:-1] / np.outer(scale, scale) + RIDGE * np.eye(len(scale))
        root = np.linalg.cholesky(x)
        aim = np.linalg.solve(root, covariance[1:-1, -1] / scale)
        bounds = np.where(signs > 0, 0, -np.inf), np.where(signs < 0, 0, np.inf)
        weights = lsq_linear(root.T, aim, bounds).x / scale
        return weights, float(mean[-1] - mean[1:-1] @ weights)


def fit(data: Described) -> tuple[np.ndarray, float]:
    """Fit the ranking of a split: weights and offset."""
    return NormalEquations.of(data.columns, data.iou).solve(data.signs)


def out_of_fold(split: Split, data: Described) -> np.ndarray:
    """Return (n,) predicted IoU, each by a ranking that was fitted on the other folds."""
    fold = split.fold[data.candidates.row]
    parts = [np.flatnonzero(fold == part) for part in range(FOLDS)]
    products = [NormalEquations.of(data.columns[part], data.iou[part]).products for part in parts]
    scores = np.zeros(len(fold))
    for part, own in zip(parts, products, strict=True):
        weights, offset = NormalEquations(sum(products) - own).solve(data.signs)
        scores[part] = data.columns[part] @ weights + offset
    return scores


def predictions(split: Split, found: Candidates, scores: np.ndarray) -> np.ndarray:
    """Return (Q, 10, 3) [start, end, score], padded with NaN: the moments after suppression."""
    spans = seconds(split, found.row, found.start, found.end)
    row, kept, left = suppress(found.row, spans, scores, OVERLAP, MOMENTS, Penalty(REDUNDANCY))
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    out = np.full((len(split), MOMENTS, 3), np.nan)
    out[row, rank] = np.column_stack([spans[kept], left])
    return out


def moment_scores(split: Split, predicted: np.ndarray) -> np.ndarray:
    """Return (Q, 3) per query, in per cent: R1@0.5, R1@0.7 and AP."""
    first = iou_over_hull(predicted[:, :1], split.windows).max(axis=(1, 2))
    ap = average_precision(predicted[:, :MOMENTS], split.windows).mean(axis=1)
    return 100 * np.column_stack([first >= 0.5, first >= 0.7, ap])


JITTER = 0.1
"""The size of a change by jitter: relative, but absolute for numbers in deviations."""
LEADERS, COPIES = 20, 10
"""The number of best draws that are jittered, and the number of copies of each."""
MOST = {"D": 0.5, "D_u": 0.5, "D_v": 0.5}


def jittered(setting: Setting, rng: np.random.Generator) -> Setting:
    """Return a neighbour of a setting; values that are not rates (dilations, no cut) stay."""
    return {name: jitter(name, value, rng) for name, value in setting.items()}


def jitter(name: str, value: Any, rng: np.random.Generator) -> Any:
    if value is None or name == "dilations":
        return value
    if name in ("threshold", "dark"):
        return value + JITTER * rng.normal()
    moved = np.minimum(
        value * np.exp(JITTER * rng.normal(size=np.shape(value))), MOST.get(name, np.inf)
    )
    if isinstance(value, int):
        return max(1, round(float(moved)))
    return moved.tolist()


def per_query(split: Split, arm: Arm, setting: Setting) -> np.ndarray:
    """Return (Q, 3) R1@0.5, R1@0.7, AP on train; no ranking was fitted on the query's own video."""
    data = described(split, arm, setting)
    found = predictions(split, data.candidates, out_of_fold(split, data))
    return moment_scores(split, found)

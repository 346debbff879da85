"""The bias of predictions: lengths, positions and ends, compared with the true moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rdmf_cli.datasets.annotations import Annotation
from rdmf_cli.evaluation.causes import TOUCHES
from rdmf_cli.evaluation.overlap import Array, iou_over_hull

BINS = 10


@dataclass(frozen=True)
class Spread:
    """Hold the distribution of a quantity over the moments and over the first windows.

    Attributes:
        moments: Shares of the moments in ten bins of equal width over the video, 0 to 1.
        windows: Shares of the first windows in the same ten bins.
        distance: Total variation distance of the two distributions: 0 if they are equal, 1 if they
            have nothing in common.
    """

    moments: list[float]
    windows: list[float]
    distance: float


@dataclass(frozen=True)
class Bias:
    """Compare first windows with true moments.

    Attributes:
        length: Distribution of lengths, as shares of the video; None if no duration is known.
        centre: Distribution of centres, as shares of the video; None if no duration is known.
        moment_seconds: Median length of the moments.
        window_seconds: Median length of the first windows; None if there is no window.
        start_late: Median of (start − true start) in seconds, over the first windows with an IoU of
            0.1 or more with a moment; None if there is no such window.
        end_late: Median of (end − true end) in seconds, over the same windows.
    """

    length: Spread | None
    centre: Spread | None
    moment_seconds: float
    window_seconds: float | None
    start_late: float | None
    end_late: float | None


def bias(
    annotations: Sequence[Annotation], predicted: Sequence[Array], truths: Sequence[Array]
) -> Bias:
    """Measure lengths, positions and ends of the first windows.

    Args:
        annotations: Q annotations.
        predicted: (P, 3) windows [start, end, score] of each query, seconds, best first.
        truths: (G, 2) moments [start, end] of each query, seconds.
    """
    firsts = [windows[:1, :2] for windows in predicted]
    moments, windows = np.concatenate(truths), np.concatenate(firsts)
    late = np.concatenate([_late(*pair) for pair in zip(firsts, truths, strict=True)])
    shares = [
        (truth / annotation.duration, first / annotation.duration)
        for annotation, truth, first in zip(annotations, truths, firsts, strict=True)
        if annotation.duration is not None
    ]
    known = [np.concatenate(part) for part in zip(*shares, strict=True)]
    return Bias(
        length=_spread(*(part[:, 1] - part[:, 0] for part in known)) if known else None,
        centre=_spread(*(part.mean(axis=1) for part in known)) if known else None,
        moment_seconds=float(np.median(moments[:, 1] - moments[:, 0])),
        window_seconds=_median(windows[:, 1] - windows[:, 0]),
        start_late=_median(late[:, 0]),
        end_late=_median(late[:, 1]),
    )


def _late(first: Array, truths: Array) -> Array:
    """Return how much later start and end are than in the best moment, (1, 2); (0, 2) if none."""
    if not len(first):
        return np.empty((0, 2))
    iou = iou_over_hull(first[None], truths[None])[0, 0]
    return first - truths[iou.argmax()] if iou.max() >= TOUCHES else np.empty((0, 2))


def _median(values: Array) -> float | None:
    return float(np.median(values)) if values.size else None


def _spread(moments: Array, windows: Array) -> Spread | None:
    if not windows.size:
        return None
    true, found = _histogram(moments), _histogram(windows)
    return Spread(true.tolist(), found.tolist(), float(np.abs(true - found).sum() / 2))


def _histogram(values: Array) -> Array:
    counts = np.histogram(np.clip(values, 0, 1), bins=BINS, range=(0, 1))[0]
    shares: Array = counts / len(values)
    return shares

"""The ranking of candidates by expected IoU, from curves inside and around, and the length."""

from __future__ import annotations

import numpy as np

from rdmf_cli.heads.training_free.rates import RankingRates
from rdmf_cli.moments.pattern import Candidates

LONGEST = 150.0
"""Seconds. A longer candidate counts as this long: the weights were fitted on videos of 150 s."""

LEAST_MARGIN = 2
"""The surroundings of a candidate are half its length to each side, at least this many clips."""


def describe(
    curves: np.ndarray,
    mask: np.ndarray,
    candidates: Candidates,
    clip_length: float,
    dark: np.ndarray,
) -> np.ndarray:
    """Compute the numbers per candidate that the ranking weights and adds.

    Args:
        curves: (B, K, L) finite.
        mask: (B, L) True at real clips.
        candidates: n candidates.
        clip_length: length of a clip in seconds.
        dark: (K,) the mean of each curve for candidates without clips around them.

    Returns:
        (n, 2K + 2): the mean of each curve inside the candidate, the mean of each curve around the
        candidate, the square root and the logarithm of the candidate's length in seconds.
    """
    start, end, clips = candidates.start, candidates.end, mask.shape[1]
    margin = np.maximum(LEAST_MARGIN, (end - start) // 2)
    sums = _Sums(curves, mask, candidates.row)
    total, count = sums.between(start, end)
    wide, wide_count = sums.between(np.maximum(start - margin, 0), np.minimum(end + margin, clips))
    around = (wide - total) / np.maximum(wide_count - count, 1)[:, None]
    seconds = np.minimum((end - start) * clip_length, LONGEST)
    return np.column_stack(
        [
            total / np.maximum(count, 1)[:, None],
            np.where((wide_count > count)[:, None], around, dark),
            np.sqrt(seconds),
            np.log(seconds),
        ]
    )


def predicted_iou(described: np.ndarray, rates: RankingRates) -> np.ndarray:
    """Predict the IoU of each candidate with a moment.

    Args:
        described: (n, 2K + 2) result of `describe`.
        rates: the fitted weights.

    (n,), not clipped to [0, 1], because clipping would give equal scores.
    """
    raw: np.ndarray = described @ rates.weights + rates.offset
    return raw


class _Sums:
    """Compute sums of curves over spans of clips, as differences of cumulative sums."""

    def __init__(self, curves: np.ndarray, mask: np.ndarray, row: np.ndarray):
        real = np.where(mask[:, None], curves, 0.0)
        self.curves = _running(real).swapaxes(1, 2)  # (B, L + 1, K)
        self.clips = _running(mask)  # (B, L + 1)
        self.row = row

    def between(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return sums (n, K) over the real clips of [start, end), and the number (n,) of clips."""
        row = self.row
        total = self.curves[row, end] - self.curves[row, start]
        return total, self.clips[row, end] - self.clips[row, start]


def _running(x: np.ndarray) -> np.ndarray:
    sums = np.cumsum(x, axis=-1, dtype=np.float64)
    return np.concatenate([np.zeros((*x.shape[:-1], 1)), sums], axis=-1)

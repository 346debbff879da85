"""How good a candidate is: what stands inside it against what stands around it, and its length."""

from __future__ import annotations

import numpy as np

from rdmf_cli.heads.training_free.rates import RankingRates
from rdmf_cli.moments.pattern import Candidates

LONGEST = 150.0
"""Seconds; beyond what the rates were fitted on, length neither helps nor harms any more."""

LEAST_MARGIN = 2
"""Clips looked at on each side of a candidate, at least; else half of its length."""


def describe(
    curves: np.ndarray,
    mask: np.ndarray,
    candidates: Candidates,
    clip_length: float,
    dark: np.ndarray,
) -> np.ndarray:
    """(n, 2K + 2): for each of K curves the mean inside, then for each the mean around, then the
    square root and the logarithm of the length in seconds.

    curves: (B, K, L), finite; mask: (B, L); dark: (K,) what counts as the mean around a candidate
    that has no clips around it.
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
    """(n,): the IoU expected of each candidate; not bounded, so that ties stay ranked."""
    return described @ rates.weights + rates.offset


class _Sums:
    """Sums of curves over spans of clips, by differences of running sums."""

    def __init__(self, curves: np.ndarray, mask: np.ndarray, row: np.ndarray):
        real = np.where(mask[:, None], curves, 0.0)
        self.curves = _running(real).swapaxes(1, 2)  # (B, L + 1, K)
        self.clips = _running(mask)  # (B, L + 1)
        self.row = row

    def between(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, K) sums over the real clips of [start, end), and how many these are (n,)."""
        row = self.row
        total = self.curves[row, end] - self.curves[row, start]
        return total, self.clips[row, end] - self.clips[row, start]


def _running(x: np.ndarray) -> np.ndarray:
    sums = np.cumsum(x, axis=-1, dtype=np.float64)
    return np.concatenate([np.zeros((*x.shape[:-1], 1)), sums], axis=-1)

"""Non-maximum suppression: of moments that say the same, the best stays."""

from __future__ import annotations

import numpy as np


def overlaps(spans: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU of spans (..., 2) [start, end], broadcast against each other; 0 where both are empty."""
    first = np.maximum(spans[..., 0], others[..., 0])
    last = np.minimum(spans[..., 1], others[..., 1])
    common = np.asarray(np.maximum(last - first, 0.0))
    union = (spans[..., 1] - spans[..., 0]) + (others[..., 1] - others[..., 0]) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def suppress(
    row: np.ndarray,
    spans: np.ndarray,
    scores: np.ndarray,
    overlap: float,
    most: int,
    redundancy: float = 0.0,
    steepness: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each row the best candidates, none of which overlaps a better one by `overlap` or more.

    row:        (n,) ascending, the row (video, query) a candidate belongs to
    spans:      (n, 2); scores: (n,), finite; of equal scores the first counts as better
    redundancy: what a candidate loses for repeating a better one: this times their IoU ** steepness
    Returns (row, index, score) of those that stay, by row and then best first, at most `most` a
    row; the score is what redundancy left of it.
    """
    rows, place = _places(row)
    slot = np.searchsorted(rows, row)
    shape = len(rows), place.max(initial=-1) + 1
    laid_scores, laid_spans = np.full(shape, -np.inf), np.zeros((*shape, 2))
    laid_scores[slot, place] = scores
    laid_spans[slot, place] = spans
    picks, left = _pick(laid_scores, laid_spans, overlap, most, redundancy, steepness)
    kept = picks >= 0
    first = np.searchsorted(row, rows)
    return np.repeat(rows, kept.sum(axis=1)), (first[:, None] + picks)[kept], left[kept]


def _places(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, and each candidate's place among those of its row."""
    rows, first, counts = np.unique(row, return_index=True, return_counts=True)
    return rows, np.arange(len(row)) - np.repeat(first, counts)


def _pick(
    scores: np.ndarray,
    spans: np.ndarray,
    overlap: float,
    most: int,
    redundancy: float,
    steepness: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Places (rows, most) of those that stay, best first, and their scores; -1 and -inf: none.

    Takes them out of `scores`, (rows, candidates).
    """
    rows = np.arange(len(scores))
    repeated = np.zeros(scores.shape)  # highest IoU with one that stays
    picks = np.full((len(scores), most), -1)
    left = np.full(picks.shape, -np.inf)
    for n in range(most if scores.size else 0):
        worth = np.where(repeated < overlap, scores - redundancy * repeated**steepness, -np.inf)
        place = worth.argmax(axis=1)
        found = worth[rows, place] > -np.inf
        picks[found, n], left[found, n] = place[found], worth[rows, place][found]
        repeated = np.maximum(repeated, overlaps(spans, spans[rows, place][:, None]))
        scores[rows, place] = -np.inf
    return picks, left

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
    row: np.ndarray, spans: np.ndarray, scores: np.ndarray, overlap: float, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of each row the best candidates, none of which overlaps a better one by `overlap` or more.

    row:    (n,) ascending, the row (video, query) a candidate belongs to
    spans:  (n, 2); scores: (n,), finite; of equal scores the first counts as better
    Returns (row, index) of those that stay, by row and then best first; at most `most` a row.
    """
    rows, place = _places(row)
    best = np.full((len(rows), place.max(initial=-1) + 1), -np.inf)
    slot = np.searchsorted(rows, row)
    best[slot, place] = scores
    laid = np.zeros((*best.shape, 2))
    laid[slot, place] = spans
    first = np.searchsorted(row, rows)
    picks = _pick(best, laid, overlap, most)
    kept = picks >= 0
    return np.repeat(rows, kept.sum(1)), (first[:, None] + picks)[kept]


def _places(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, and each candidate's place among those of its row."""
    rows, first, counts = np.unique(row, return_index=True, return_counts=True)
    return rows, np.arange(len(row)) - np.repeat(first, counts)


def _pick(best: np.ndarray, spans: np.ndarray, overlap: float, most: int) -> np.ndarray:
    """(rows, most): places of those that stay, -1 where none is left; empties `best`."""
    rows = np.arange(len(best))
    picks = np.full((len(best), most), -1)
    for n in range(most if best.size else 0):
        place = best.argmax(axis=1)
        left = best[rows, place] > -np.inf
        if not left.any():
            break
        picks[left, n] = place[left]
        best[overlaps(spans, spans[rows, place][:, None]) >= overlap] = -np.inf
        best[rows, place] = -np.inf
    return picks

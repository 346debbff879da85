"""Non-maximum suppression: of moments that overlap, the best one stays."""

from __future__ import annotations

import numpy as np


def span_iou(spans: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the IoU (intersection over union) of spans.

    Args:
        spans: (..., 2) [start, end].
        others: (..., 2) [start, end], broadcast against `spans`.

    Returns:
        (...) in [0, 1]; 0 where both spans are empty.
    """
    first = np.maximum(spans[..., 0], others[..., 0])
    last = np.minimum(spans[..., 1], others[..., 1])
    common = np.asarray(np.maximum(last - first, 0.0))
    union = (spans[..., 1] - spans[..., 0]) + (others[..., 1] - others[..., 0]) - common
    iou: np.ndarray = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return iou


def suppress(
    row: np.ndarray,
    spans: np.ndarray,
    scores: np.ndarray,
    overlap: float,
    most: int,
    redundancy: float = 0.0,
    steepness: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the best candidates of each row, of which none overlaps a better one too much.

    Args:
        row: (n,) ascending: the row (query on a video) that a candidate belongs to.
        spans: (n, 2) [start, end] in any unit.
        scores: (n,) finite; of equal scores the first counts as better.
        overlap: IoU with a better candidate from which on a candidate is dropped.
        most: candidates per row at most.
        redundancy: how much a candidate loses for repeating a better one: this times
            IoU ** steepness.
        steepness: exponent of that loss.

    Returns:
        Of the candidates that stay, by row and then best first: (m,) row; (m,) index into the
        arguments; (m,) score less the loss.
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
    """Return the distinct rows, and each candidate's place among those of its row."""
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
    """Return the places (rows, most) of those that stay, best first, and their scores.

    Where there are none, these are -1 and -inf. Changes `scores`, (rows, candidates).
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
        repeated = np.maximum(repeated, span_iou(spans, spans[rows, place][:, None]))
        scores[rows, place] = -np.inf
    return picks, left

"""Non-maximum suppression: if moments overlap, only the best moment stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def span_iou(spans: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the IoU (intersection over union) of spans.

    Args:
        spans: (..., 2) [start, end].
        others: (..., 2) [start, end], broadcast against `spans`.

    Returns:
        (...) in [0, 1]; 0 if both spans are empty.
    """
    first = np.maximum(spans[..., 0], others[..., 0])
    last = np.minimum(spans[..., 1], others[..., 1])
    common = np.asarray(np.maximum(last - first, 0.0))
    union = (spans[..., 1] - spans[..., 0]) + (others[..., 1] - others[..., 0]) - common
    iou: np.ndarray = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return iou


@dataclass(frozen=True)
class Penalty:
    """Score that a candidate loses if it overlaps a better one: redundancy * IoU ** steepness."""

    redundancy: float = 0.0
    steepness: float = 1.0

    def of(self, iou: np.ndarray) -> np.ndarray:
        """Compute the lost score (...) from the highest IoU (...) with a better candidate."""
        loss: np.ndarray = self.redundancy * iou**self.steepness
        return loss


NO_PENALTY = Penalty()


def suppress(
    row: np.ndarray,
    spans: np.ndarray,
    scores: np.ndarray,
    overlap: float,
    most: int,
    penalty: Penalty = NO_PENALTY,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the best candidates of each row; drop a candidate that overlaps a better one too much.

    Args:
        row: (n,) ascending: the row (query on a video) to which a candidate belongs.
        spans: (n, 2) [start, end] in any unit.
        scores: (n,) finite; if two scores are equal, the first counts as better.
        overlap: a candidate is dropped if its IoU with a better candidate is at least this.
        most: largest number of candidates per row.
        penalty: the score that a candidate loses if it overlaps a better candidate.

    Returns:
        Three arrays of the m candidates that stay, ordered by row, then best first: (m,) row; (m,)
        index into the arguments; (m,) score after the penalty.
    """
    rows, place = _places(row)
    slot = np.searchsorted(rows, row)
    shape = len(rows), place.max(initial=-1) + 1
    laid_scores, laid_spans = np.full(shape, -np.inf), np.zeros((*shape, 2))
    laid_scores[slot, place] = scores
    laid_spans[slot, place] = spans
    picks, left = _pick(laid_scores, laid_spans, overlap, most, penalty)
    kept = picks >= 0
    first = np.searchsorted(row, rows)
    return np.repeat(rows, kept.sum(axis=1)), (first[:, None] + picks)[kept], left[kept]


def _places(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct rows, and the position of each candidate within its row."""
    rows, first, counts = np.unique(row, return_index=True, return_counts=True)
    return rows, np.arange(len(row)) - np.repeat(first, counts)


def _pick(
    scores: np.ndarray, spans: np.ndarray, overlap: float, most: int, penalty: Penalty
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (rows, most) of the candidates that stay, best first, and their scores.

    If fewer candidates stay, the other entries are -1 and -inf. The function changes `scores`,
    (rows, candidates).
    """
    rows = np.arange(len(scores))
    repeated = np.zeros(scores.shape)  # highest IoU with a candidate that stays
    picks = np.full((len(scores), most), -1)
    left = np.full(picks.shape, -np.inf)
    for n in range(most if scores.size else 0):
        reduced = np.where(repeated < overlap, scores - penalty.of(repeated), -np.inf)
        place = reduced.argmax(axis=1)
        found = reduced[rows, place] > -np.inf
        picks[found, n], left[found, n] = place[found], reduced[rows, place][found]
        repeated = np.maximum(repeated, span_iou(spans, spans[rows, place][:, None]))
        scores[rows, place] = -np.inf
    return picks, left

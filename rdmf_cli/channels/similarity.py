"""Similarity in standard deviations, a unit that all encoders share."""

from __future__ import annotations

import numpy as np

MOST_DEVIATIONS = 2.5
"""Standardised similarity is clipped to ±2.5, so that one outlier does not outvote a moment."""

LEAST_DEVIATION = 1e-3
"""Least standard deviation of cosines that carries information: features are stored as float16,
whose rounding alone causes about as much.
"""

CLIPS_AROUND = 75
"""Clips around the best match that presence is computed from: as many as the videos have that it
was fitted on.
"""


def standardise(
    similarity: np.ndarray, mask: np.ndarray, most: float = MOST_DEVIATIONS
) -> np.ndarray:
    """Standardise similarity over the video.

    The result does not change when the similarities are scaled or shifted, so it does not depend on
    an encoder's temperature.

    Args:
        similarity: (..., L) cosine of each clip and the query.
        mask: (..., L) True at real clips.
        most: bound of the result.

    Returns:
        (..., L) standard deviations from the mean over the real clips, clipped to ±`most`; 0 at
        masked clips, and everywhere where the similarity does not vary.
    """
    clips = np.maximum(mask.sum(-1, keepdims=True), 1)
    s = np.where(mask, similarity, 0.0)
    centred = np.where(mask, s - s.sum(-1, keepdims=True) / clips, 0.0)
    deviation = np.sqrt((centred**2).sum(-1, keepdims=True) / clips)
    z = np.where(deviation < LEAST_DEVIATION, 0.0, centred / np.maximum(deviation, LEAST_DEVIATION))
    return np.clip(z, -most, most)


def coherence(z: np.ndarray, mask: np.ndarray) -> float:
    """Average z_i z_{i+1} over the neighbouring clips of one video.

    A moment lasts and noise does not: the result is near 1 for long moments, about 0 for noise, and
    0 where there are no neighbours.

    Args:
        z: (L,) standardised similarity.
        mask: (L,) True at real clips.
    """
    both = mask[1:] & mask[:-1]
    return float((z[1:] * z[:-1])[both].sum() / max(both.sum(), 1))


def coherence_of_best(similarity: np.ndarray, mask: np.ndarray) -> float:
    """Compute the coherence of the `CLIPS_AROUND` clips around the best match.

    Parts of longer footage differ in how well they match any query, which alone makes the whole
    coherent. So only the surroundings of the best match are used.

    Args:
        similarity: (L,) cosine of each clip and the query.
        mask: (L,) True at real clips.
    """
    if len(mask) > CLIPS_AROUND:
        best = int(np.where(mask, similarity, -np.inf).argmax())
        start = min(max(best - CLIPS_AROUND // 2, 0), len(mask) - CLIPS_AROUND)
        near = slice(start, start + CLIPS_AROUND)
        similarity, mask = similarity[near], mask[near]
    return coherence(standardise(similarity, mask), mask)

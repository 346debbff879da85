"""Similarity in standard deviations: this unit is the same for all encoders."""

from __future__ import annotations

import numpy as np

MOST_DEVIATIONS = 2.5
"""Standardised similarity is clipped to ±2.5, so that one extreme clip does not hide a moment."""

LEAST_DEVIATION = 1e-3
"""Smallest standard deviation of cosines that carries information.

Features are stored as float16, and rounding to float16 alone causes about this deviation.
"""

CLIPS_AROUND = 75
"""Presence is computed from this many clips around the best match.

The videos on which presence was fitted have as many clips.
"""


def standardise(
    similarity: np.ndarray, mask: np.ndarray, most: float = MOST_DEVIATIONS
) -> np.ndarray:
    """Standardise similarity over the video.

    The result does not change if the similarities are scaled or shifted, so it does not depend on
    an encoder's temperature.

    Args:
        similarity: (..., L) cosine of each clip and the query.
        mask: (..., L) True at real clips.
        most: bound of the result.

    Returns:
        (..., L) standard deviations from the mean over the real clips, clipped to ±`most`; 0 at
        masked clips. If the similarity does not vary, the result is 0 at all clips.
    """
    clips = np.maximum(mask.sum(-1, keepdims=True), 1)
    s = np.where(mask, similarity, 0.0)
    centred = np.where(mask, s - s.sum(-1, keepdims=True) / clips, 0.0)
    deviation = np.sqrt((centred**2).sum(-1, keepdims=True) / clips)
    z = np.where(deviation < LEAST_DEVIATION, 0.0, centred / np.maximum(deviation, LEAST_DEVIATION))
    return np.clip(z, -most, most)


def coherence(z: np.ndarray, mask: np.ndarray) -> float:
    """Average z_i z_{i+1} over the neighbouring clips of one video.

    A moment lasts for several clips, and noise does not. So the result is near 1 for long moments
    and about 0 for noise. It is 0 if there are no neighbours.

    Args:
        z: (L,) standardised similarity.
        mask: (L,) True at real clips.
    """
    both = mask[1:] & mask[:-1]
    return float((z[1:] * z[:-1])[both].sum() / max(both.sum(), 1))


def coherence_of_best(similarity: np.ndarray, mask: np.ndarray) -> float:
    """Compute the coherence of the `CLIPS_AROUND` clips around the best match.

    In longer footage, some parts match any query better than other parts do. This difference alone
    makes the whole video coherent. So only the clips around the best match are used.

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

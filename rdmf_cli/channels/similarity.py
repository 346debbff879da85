"""Similarity in units that any encoder shares."""

from __future__ import annotations

import numpy as np

MOST_DEVIATIONS = 2.5
"""Standardised similarity stays within ±2.5, so that one freak clip cannot outvote a moment."""

LEAST_DEVIATION = 1e-3
"""Cosines that vary less say nothing: features are kept in float16, which rounds about so."""

AROUND = 75
"""Clips around the best match that presence looks at: so long were the videos it was fitted on."""


def standardise(
    similarity: np.ndarray, mask: np.ndarray, most: float = MOST_DEVIATIONS
) -> np.ndarray:
    """(..., L): similarity in standard deviations from its mean over the video, within ±`most`.

    Masked clips are 0, and so is a curve that does not vary. The result does not change when the
    similarities are scaled or shifted, so encoders of any temperature are served alike.
    """
    clips = np.maximum(mask.sum(-1, keepdims=True), 1)
    s = np.where(mask, similarity, 0.0)
    centred = np.where(mask, s - s.sum(-1, keepdims=True) / clips, 0.0)
    deviation = np.sqrt((centred**2).sum(-1, keepdims=True) / clips)
    z = np.where(deviation < LEAST_DEVIATION, 0.0, centred / np.maximum(deviation, LEAST_DEVIATION))
    return np.clip(z, -most, most)


def coherence(z: np.ndarray, mask: np.ndarray) -> float:
    """Mean of z_i z_{i+1} over the neighbouring clips of one video.

    What is shown lasts and noise does not: near 1 for long bumps, about 0 for noise, 0 without
    neighbours.
    """
    both = mask[1:] & mask[:-1]
    return float((z[1:] * z[:-1])[both].sum() / max(both.sum(), 1))


def coherence_of_best(similarity: np.ndarray, mask: np.ndarray) -> float:
    """Coherence of the `AROUND` clips around the best match of one video, as a video of their own.

    similarity, mask: (L,). Longer footage has parts that differ in how they match anything, which
    holds together however little the query has to do with it; so it is not looked at as a whole.
    """
    if len(mask) > AROUND:
        best = int(np.where(mask, similarity, -np.inf).argmax())
        start = min(max(best - AROUND // 2, 0), len(mask) - AROUND)
        near = slice(start, start + AROUND)
        similarity, mask = similarity[near], mask[near]
    return coherence(standardise(similarity, mask), mask)

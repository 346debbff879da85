"""From similarity to the emergent pattern, training-free: standardise, drive, evolve.

Arrays are (..., L): one query on one video, or a batch of them padded to one length with a mask.
"""

from __future__ import annotations

import numpy as np

from rdmf_cli.fusion import Fields, edges_from_change, evolve
from rdmf_cli.moments.rates import FusionRates

MOST_DEVIATIONS = 2.5
"""Standardised similarity stays within ±2.5, so that one freak clip cannot outvote a moment."""

LEAST_DEVIATION = 1e-3
"""Cosines that vary less say nothing: features are kept in float16, which rounds about so."""

LEAST_CHANGE = 1e-3
"""Visual change (1 - cosine) up to which a picture does not move; the least unit of change."""

FEWEST_CHANGES = 0.15
"""Share of the steps from clip to clip that must change for a unit to be taken from them: where
fewer do, as between slides that stand for long, each change is a cut."""

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


def match(z: np.ndarray, rates: FusionRates) -> np.ndarray:
    """(..., L): how far each clip matches the query, a soft step in [0, 1] at the threshold."""
    return 1.0 / (1.0 + np.exp((rates.threshold - z) / rates.softness))


def reaction_rates(z: np.ndarray, mask: np.ndarray, rates: FusionRates) -> np.ndarray:
    """(..., C, L): r, how fast v grows where it is seeded; 0 at masked clips."""
    matched = np.where(mask, match(z, rates), 0.0)
    return np.asarray(rates.reaction, dtype=matched.dtype)[:, None] * matched[..., None, :]


def edge_weights(change: np.ndarray, mask: np.ndarray, cut: float) -> np.ndarray:
    """(..., L - 1): how much of the diffusion passes from clip to clip, 1/2 at `cut` units.

    The unit is the median over the steps that change.
    """
    real = mask[..., 1:] & mask[..., :-1]
    unit = _median(change, steps_that_change(change, real))
    return edges_from_change(np.maximum(change, 0.0), cut * np.maximum(unit, LEAST_CHANGE))


def steps_that_change(change: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Tell which steps from clip to clip the unit of visual change is taken from.

    Repeats of a frame, as in static footage or where clips are shorter than what changes, are none
    of them: so however many there are, they do not move the unit. Where less than `FEWEST_CHANGES`
    of the real steps change, none is taken.

    Args:
        change: (..., n) visual change from each clip to the next.
        real: (..., n) False at steps to or from masked clips.

    Returns:
        (..., n) bool.
    """
    changing = real & (change > LEAST_CHANGE)
    enough = changing.sum(-1, keepdims=True) >= FEWEST_CHANGES * real.sum(-1, keepdims=True)
    return np.asarray(changing & enough)


def fuse(
    z: np.ndarray,
    change: np.ndarray | None,
    mask: np.ndarray,
    rates: FusionRates,
    trace: bool = False,
) -> Fields:
    """u and v, (..., C, L) [with `trace` (steps + 1, ..., C, L)], of the reacting video.

    z: standardised similarity (..., L); change: visual change (..., L - 1) or None; mask (..., L).
    """
    r = reaction_rates(z, mask, rates)
    seed = rates.seed * np.where(mask, match(z, rates), 0.0)
    v = np.broadcast_to(seed[..., None, :], r.shape)
    edges = None
    if change is not None and rates.cut is not None:
        edges = edge_weights(change, mask, rates.cut)[..., None, :]
    return evolve(
        np.ones_like(v),
        v,
        u0=1.0,
        r=r,
        rates=rates.rates,
        steps=rates.steps,
        mask=mask[..., None, :],
        edges=edges,
        dilations=rates.dilations,
        trace=trace,
    )


def curves(z: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(..., 1 + C, L): what candidates are ranked by, the standardised similarity and then v."""
    return np.concatenate([z[..., None, :], v], axis=-2)


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


def _median(x: np.ndarray, real: np.ndarray) -> np.ndarray:
    """(..., 1): the lower median of the real entries of x (..., n); 0 where there are none."""
    if x.shape[-1] == 0:
        return np.zeros((*x.shape[:-1], 1), x.dtype)
    ordered = np.sort(np.where(real, x, np.inf), axis=-1)
    middle = np.maximum(real.sum(-1, keepdims=True) - 1, 0) // 2
    median = np.take_along_axis(ordered, middle, axis=-1)
    return np.where(np.isfinite(median), median, 0.0)

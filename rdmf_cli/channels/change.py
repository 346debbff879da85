"""Visual change between neighbouring clips, and how much of a diffusion passes between them."""

from __future__ import annotations

import numpy as np

from rdmf_cli.errors import RdmfError

LEAST_CHANGE = 1e-3
"""Visual change (1 - cosine) up to which a picture does not move; the least unit of change."""

FEWEST_CHANGES = 0.15
"""Share of the steps from clip to clip that must change for a unit to be taken from them: where
fewer do, as between slides that stand for long, each change is a cut."""


def edges_from_change(change: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    """Turn visual change into edge weights: g = 1 / (1 + (change / scale)²).

    The shape is the rational one of Perona and Malik (1990): 1 in a steady shot, towards 0 at a
    cut. It uses no transcendental function, so every machine gives the same bits.

    Args:
        change: (..., L - 1) how much clips i and i + 1 differ (1 - cosine, say), at least 0.
        scale: the change at which half of the flux still passes; above 0, broadcastable.

    Returns:
        (..., L - 1) weights in (0, 1].

    Raises:
        RdmfError: a scale is not above 0.
    """
    if bool((np.asarray(scale) <= 0).any()):
        raise RdmfError("the scale of visual change must be above 0", "scale")
    ratio = change / np.asarray(scale, change.dtype)
    return 1.0 / (1.0 + ratio * ratio)


def edge_weights(change: np.ndarray, mask: np.ndarray, cut: float) -> np.ndarray:
    """(..., L - 1): how much of the diffusion passes from clip to clip, 1/2 at `cut` units.

    The unit is the median over the steps that change.
    """
    real = mask[..., 1:] & mask[..., :-1]
    unit = _median(change, steps_that_change(change, real))
    return edges_from_change(np.maximum(change, 0.0), cut * np.maximum(unit, LEAST_CHANGE))


def edges_of(change: np.ndarray, cut: float) -> np.ndarray:
    """Compute the edge weights of one video: float32 (L - 1,) from its visual change (L - 1,)."""
    real = np.ones(len(change) + 1, dtype=bool)
    return edge_weights(change, real, cut).astype(np.float32)


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


def _median(x: np.ndarray, real: np.ndarray) -> np.ndarray:
    """(..., 1): the lower median of the real entries of x (..., n); 0 where there are none."""
    if x.shape[-1] == 0:
        return np.zeros((*x.shape[:-1], 1), x.dtype)
    ordered = np.sort(np.where(real, x, np.inf), axis=-1)
    middle = np.maximum(real.sum(-1, keepdims=True) - 1, 0) // 2
    median = np.take_along_axis(ordered, middle, axis=-1)
    return np.where(np.isfinite(median), median, 0.0)


def visual_change(rows: np.ndarray) -> np.ndarray:
    """1 − cosine of neighbouring clips: normalised rows (L, D) to (L − 1,), in [0, 2]."""
    return np.clip(1.0 - (rows[1:] * rows[:-1]).sum(-1), 0.0, 2.0)

"""Visual change between neighbouring clips, and the edge weights that are computed from it."""

from __future__ import annotations

import numpy as np

from rdmf_cli.errors import RdmfError

LEAST_CHANGE = 1e-3
"""Up to this visual change (1 - cosine) two clips show the same picture. The unit is never less."""

FEWEST_CHANGES = 0.15
"""Minimum share of the pairs of neighbouring clips that must change to define a unit.

The unit is the number by which the visual changes of a video are divided. If fewer pairs change, as
in slides that stay for long, every change counts as a cut.
"""


def edges_from_change(change: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    """Turn visual change into edge weights: g = 1 / (1 + (change / scale)²).

    This is the rational function of Perona and Malik (1990). The weight is 1 within a steady shot
    and near 0 at a cut. The formula uses no transcendental function, so every machine computes the
    same bits.

    Args:
        change: (..., L - 1) visual change from clip i to i + 1 (such as 1 - cosine), at least 0.
        scale: the change at which half of the diffusion passes; above 0, broadcast against
            `change`.

    Returns:
        (..., L - 1) weights in (0, 1].

    Raises:
        RdmfError: a scale is not above 0.
    """
    if bool((np.asarray(scale) <= 0).any()):
        raise RdmfError("the scale of visual change must be above 0", "scale")
    ratio = change / np.asarray(scale, change.dtype)
    weights: np.ndarray = 1.0 / (1.0 + ratio * ratio)
    return weights


def edge_weights(change: np.ndarray, mask: np.ndarray, cut: float) -> np.ndarray:
    """Compute edge weights, after a division of each video's visual changes by a unit.

    The unit is the median visual change of those neighbouring clips that differ
    (`steps_that_change`), and at least `LEAST_CHANGE`.

    Args:
        change: (..., L - 1) visual change (1 - cosine) from each clip to the next.
        mask: (..., L) True at real clips, False at padding.
        cut: visual change at which half of the diffusion passes, in units of visual change.

    Returns:
        (..., L - 1) share of the diffusion that passes from clip to clip, in (0, 1].
    """
    real = mask[..., 1:] & mask[..., :-1]
    unit = _median(change, steps_that_change(change, real))
    return edges_from_change(np.maximum(change, 0.0), cut * np.maximum(unit, LEAST_CHANGE))


def edges_of(change: np.ndarray, cut: float) -> np.ndarray:
    """Compute the edge weights of one video without padding.

    Args:
        change: (L - 1,) visual change (1 - cosine) from each clip to the next.
        cut: as in `edge_weights`.

    Returns:
        float32 (L - 1,) weights in (0, 1].
    """
    real = np.ones(len(change) + 1, dtype=bool)
    return edge_weights(change, real, cut).astype(np.float32)


def steps_that_change(change: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Find the pairs of neighbouring clips whose median is the unit of visual change.

    Pairs with the same picture are left out, so their number does not move the unit. Such pairs
    occur in static footage, and if clips are shorter than the time between changes. If the share of
    pairs that change is below `FEWEST_CHANGES`, all pairs are left out.

    Args:
        change: (..., L - 1) visual change (1 - cosine) from each clip to the next.
        real: (..., L - 1) False at pairs with a masked clip.

    Returns:
        bool (..., L - 1), False at pairs that are left out.
    """
    changing = real & (change > LEAST_CHANGE)
    enough = changing.sum(-1, keepdims=True) >= FEWEST_CHANGES * real.sum(-1, keepdims=True)
    return np.asarray(changing & enough)


def _median(x: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return the lower median (..., 1) of the real entries of x (..., n); 0 if no entry is real."""
    if x.shape[-1] == 0:
        return np.zeros((*x.shape[:-1], 1), x.dtype)
    ordered = np.sort(np.where(real, x, np.inf), axis=-1)
    middle = np.maximum(real.sum(-1, keepdims=True) - 1, 0) // 2
    median = np.take_along_axis(ordered, middle, axis=-1)
    return np.where(np.isfinite(median), median, 0.0)


def visual_change(rows: np.ndarray) -> np.ndarray:
    """Compute the visual change 1 - cosine between neighbouring clips.

    Args:
        rows: (L, D) features of the clips, rows of unit length.

    Returns:
        (L - 1,) in [0, 2].
    """
    return change_between(rows[:-1], rows[1:])


BLOCK = 4096
"""Number of clips compared at once: the products of all clips would need as much memory as `rows`.
"""


def change_between(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Compute the visual change 1 - cosine between pairs of clips.

    Args:
        before: (L, D) features of the earlier clips, rows of unit length.
        after: (L, D) features of the later clips, rows of unit length.

    Returns:
        (L,) in [0, 2].
    """
    cosines = np.empty(len(before), np.result_type(before, after))
    for start in range(0, len(before), BLOCK):
        block = slice(start, start + BLOCK)
        cosines[block] = (after[block] * before[block]).sum(-1)
    return np.clip(1.0 - cosines, 0.0, 2.0)

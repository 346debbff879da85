"""From similarity to the emergent pattern, training-free: standardise, drive, evolve.

Arrays are (..., L): one query on one video, or a batch of them padded to one length with a mask.
"""

from __future__ import annotations

import numpy as np

from rdmf_cli.channels.change import edge_weights
from rdmf_cli.fusion import Fields, evolve
from rdmf_cli.heads.training_free.rates import FusionRates


def match(z: np.ndarray, rates: FusionRates) -> np.ndarray:
    """(..., L): how far each clip matches the query, a soft step in [0, 1] at the threshold."""
    return 1.0 / (1.0 + np.exp((rates.threshold - z) / rates.softness))


def reaction_rates(z: np.ndarray, mask: np.ndarray, rates: FusionRates) -> np.ndarray:
    """(..., C, L): r, how fast v grows where it is seeded; 0 at masked clips."""
    matched = np.where(mask, match(z, rates), 0.0)
    return np.asarray(rates.reaction, dtype=matched.dtype)[:, None] * matched[..., None, :]


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

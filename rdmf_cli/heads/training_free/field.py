"""The fusion of the training-free head: from standardised similarity to the pattern.

Arrays have shape (..., L): one query on one video, or a batch of such pairs, padded to one length
with a mask. For the equations see docs/reaction-diffusion.md.
"""

from __future__ import annotations

import numpy as np

from rdmf_cli.channels.change import edge_weights
from rdmf_cli.fusion import Fields, evolve
from rdmf_cli.heads.training_free.rates import FusionRates


def match(z: np.ndarray, rates: FusionRates) -> np.ndarray:
    """Compute how well each clip matches the query: a sigmoid at the threshold of the rates.

    Args:
        z: (..., L) standardised similarity.
        rates: the fusion's rates.

    Returns:
        (..., L) in [0, 1].
    """
    return 1.0 / (1.0 + np.exp((rates.threshold - z) / rates.softness))


def reaction_rates(z: np.ndarray, mask: np.ndarray, rates: FusionRates) -> np.ndarray:
    """Compute the reaction rate r of every clip in every channel.

    Args:
        z: (..., L) standardised similarity.
        mask: (..., L) True at real clips.
        rates: the fusion's rates.

    Returns:
        (..., C, L), 0 at masked clips.
    """
    matched = np.where(mask, match(z, rates), 0.0)
    r: np.ndarray = np.asarray(rates.reaction, dtype=matched.dtype)[:, None] * matched[..., None, :]
    return r


def fuse(
    z: np.ndarray,
    change: np.ndarray | None,
    mask: np.ndarray,
    rates: FusionRates,
    trace: bool = False,
) -> Fields:
    """Run the reaction-diffusion fusion of query and video.

    Args:
        z: (..., L) standardised similarity.
        change: (..., L - 1) visual change (1 - cosine) from clip to clip; None: not known.
        mask: (..., L) True at real clips.
        rates: the fusion's rates.
        trace: return all states instead of the last state alone.

    Returns:
        u and v, (..., C, L) each; with `trace` (steps + 1, ..., C, L) each.
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
    """Stack the curves from which candidates are ranked.

    Args:
        z: (..., L) standardised similarity.
        v: (..., C, L) activator.

    Returns:
        (..., 1 + C, L): z, then v.
    """
    return np.concatenate([z[..., None, :], v], axis=-2)

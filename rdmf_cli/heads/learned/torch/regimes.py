"""Summarise the learned rates of a head: regimes, thresholds and spacings by group of channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from rdmf_cli.fusion.module import ReactionDiffusion
from rdmf_cli.fusion.stability import Regime
from rdmf_cli.heads.learned.torch.fusions import ReactionDiffusionFusion
from rdmf_cli.heads.learned.torch.network import Network

COLUMNS = ("D_u", "D_v", "F", "k", "dt", "r_star", "spacing_seconds")


def learned_rates(network: Network) -> list[dict[str, Any]]:
    """Summarise the learned rates of a network, at r = u0 = 1.

    Returns:
        One row per block, dilation and regime: `group` names block and dilation ("1 ±4": the first
        block, neighbours 4 clips away), `channels` counts the channels, the others are medians over
        them; `spacing_seconds` is None where no pattern grows. No rows for other fusions.
    """
    blocks = [block.fusion for block in network.blocks]
    return [
        row
        for number, fusion in enumerate(blocks, start=1)
        if isinstance(fusion, ReactionDiffusionFusion)
        for row in _of_block(number, fusion.evolve, network.config.clip_length)
    ]


def _of_block(number: int, evolve: ReactionDiffusion, clip_length: float) -> list[dict[str, Any]]:
    regimes = evolve.analyze(clip_seconds=clip_length)
    rows = []
    for group in evolve.groups:
        own = regimes[group.channels]
        for regime in sorted({one.regime for one in own}):
            alike = [one for one in own if one.regime == regime]
            rows.append({"group": f"{number} ±{group.dilation}", **_summary(regime, alike)})
    return rows


def _summary(regime: str, channels: Sequence[Regime]) -> dict[str, Any]:
    middle = {name: _median([getattr(one, name) for one in channels]) for name in COLUMNS}
    return {"regime": regime, "channels": len(channels), **middle}


def _median(values: Sequence[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return round(median(finite), 6) if finite else None

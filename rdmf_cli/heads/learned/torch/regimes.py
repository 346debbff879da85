"""Summarise the learned rates of a head: regimes, thresholds, spacings per group of channels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from rdmf_cli.fusion.module import ReactionDiffusion
from rdmf_cli.fusion.stability import Regime
from rdmf_cli.heads.learned.torch.fusions import ReactionDiffusionFusion
from rdmf_cli.heads.learned.torch.network import Network

RATES = ("D_u", "D_v", "F", "k", "dt")
COLUMNS = (*RATES, "r_star", "spacing_seconds")


def learned_rates(network: Network, since: Network | None = None) -> list[dict[str, Any]]:
    """Summarise the learned rates of a network, at r = u0 = 1.

    Args:
        network: the trained network.
        since: the network before training; None: not known.

    Returns:
        One row per block, dilation and regime. `group` names block and dilation ("1 ±4": the first
        block, neighbours 4 clips away). `channels` is the number of channels. `changed` holds the
        median relative change of each rate during training. `regimes_changed` is the number of
        channels whose regime changed. Without `since`, `changed` and `regimes_changed` are None.
        All other entries are medians over the channels; `spacing_seconds` is None if no pattern
        grows. A head with another fusion has no rows.
    """
    clip_length = network.config.clip_length
    before = dict(_evolving(since)) if since is not None else {}
    return [
        row
        for number, evolve in _evolving(network)
        for row in _of_block(number, evolve, before.get(number), clip_length)
    ]


def _evolving(network: Network) -> Iterator[tuple[int, ReactionDiffusion]]:
    for number, block in enumerate(network.blocks, start=1):
        if isinstance(block.fusion, ReactionDiffusionFusion):
            yield number, block.fusion.evolve


def _of_block(
    number: int, evolve: ReactionDiffusion, before: ReactionDiffusion | None, clip_length: float
) -> list[dict[str, Any]]:
    now = evolve.analyze(clip_seconds=clip_length)
    then = now if before is None else before.analyze(clip_seconds=clip_length)
    rows = []
    for group in evolve.groups:
        pairs = list(zip(now[group.channels], then[group.channels], strict=True))
        for regime in sorted({one.regime for one, _ in pairs}):
            alike = [pair for pair in pairs if pair[0].regime == regime]
            change = _change(alike) if before is not None else UNKNOWN
            own = [one for one, _ in alike]
            rows.append({"group": f"{number} ±{group.dilation}", **_summary(regime, own), **change})
    return rows


UNKNOWN: dict[str, Any] = {"changed": None, "regimes_changed": None}


def _change(pairs: Sequence[tuple[Regime, Regime]]) -> dict[str, Any]:
    changed = {
        name: _median([_relative(getattr(a, name), getattr(b, name)) for a, b in pairs])
        for name in RATES
    }
    return {"changed": changed, "regimes_changed": sum(a.regime != b.regime for a, b in pairs)}


def _relative(now: float, then: float) -> float:
    return (now - then) / abs(then) if then else math.nan


def _summary(regime: str, channels: Sequence[Regime]) -> dict[str, Any]:
    middle = {name: _median([getattr(one, name) for one in channels]) for name in COLUMNS}
    return {"regime": regime, "channels": len(channels), **middle}


def _median(values: Sequence[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return round(median(finite), 6) if finite else None

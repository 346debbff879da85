"""Groups of different dilations in one run of the tiles, for small fields.

A chain of dilation d is d interleaved chains that never meet. Written one after another (clips 0,
d, 2 d, …, then 1, 1 + d, …) they are ONE chain of dilation 1 whose edges between them weigh 0. So
all groups become chains of dilation 1 over the same number of clips, and step together: a quarter
of the operations for four groups, which is what counts at 75 clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rdmf_cli.fusion.kernels import tiled

CELLS = 4 * tiled.CELLS  # fields above this size gain nothing: operations cost more than calls

Links = Sequence[tuple[slice, int, Tensor | None]]
"""Channels, dilation and edge weights (B or 1, 1, L - d) of every group."""


def evolve(
    u: Tensor, v: Tensor, u0: Tensor, r: Tensor, rates: Any, groups: Links, steps: int
) -> tuple[Tensor, Tensor]:
    """Fields (B, C, L) after all steps; rates (C, 1)."""
    orders = [_order(v.shape[-1], dilation) for _, dilation, _ in groups]
    widths = [channels.stop - channels.start for channels, _, _ in groups]
    there = _rows(orders, widths)
    back = _rows([order.argsort() for order in orders], widths)
    link = torch.cat(
        [
            _link(order, dilation, weights, v).expand(v.shape[0], width, -1)
            for order, width, (_, dilation, weights) in zip(orders, widths, groups, strict=True)
        ],
        1,
    )
    u, v, u0, r = torch.stack([u, v, u0, r]).take_along_dim(there, -1)
    after = torch.stack(tiled.evolve(u, v, u0, r, rates, link, steps, 1))
    new_u, new_v = after.take_along_dim(back, -1)
    return new_u, new_v


def _order(length: int, dilation: int) -> Tensor:
    """Clips by remainder, then by time."""
    clips = torch.arange(length)
    return torch.cat([clips[start::dilation] for start in range(dilation)])


def _rows(orders: list[Tensor], widths: list[int]) -> Tensor:
    """One order per channel, (1, 1, C, L), for stacked fields."""
    rows = [order.expand(width, -1) for order, width in zip(orders, widths, strict=True)]
    return torch.cat(rows)[None, None]


def _link(order: Tensor, dilation: int, weights: Tensor | None, v: Tensor) -> Tensor:
    """Weights (B or 1, 1, L - 1) of the edges between clips that are now neighbours."""
    left, right = order[:-1], order[1:]
    joined = right == left + dilation
    if weights is None:
        return joined.to(v.dtype)[None, None]
    first = left.clamp(max=max(weights.shape[-1] - 1, 0))
    if not weights.shape[-1]:
        return torch.zeros(1, 1, len(left), dtype=v.dtype)
    return weights[..., first] * joined

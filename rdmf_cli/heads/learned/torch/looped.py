"""Reaction-diffusion as one loop over all channels, for exports."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdmf_cli.fusion.module import ROUNDING, ReactionDiffusion, fed, parts
from rdmf_cli.fusion.reaction import Drive, Fields, StepRates

MOST_DOUBLINGS = 10
"""Distances below 2^11 clips are exact. For longer distances, edges in the middle are not seen."""


class LoopedReactionDiffusion(nn.Module):
    """`ReactionDiffusion` on whole videos, with its steps as one loop over all channels.

    Without the loop, a traced graph would hold every step of every group: thousands of nodes, which
    take seconds to load.
    """

    def __init__(self, evolve: ReactionDiffusion):
        super().__init__()
        self.learned, self.steps = evolve.learned, evolve.steps
        self.raw_thirst = evolve.raw_thirst
        self.widths = [group.channels.stop - group.channels.start for group in evolve.groups]
        self.dilations = [group.dilation for group in evolve.groups]
        distance = torch.tensor(self.dilations).repeat_interleave(torch.tensor(self.widths))
        self.distance: Tensor
        self.register_buffer("distance", distance[:, None], persistent=False)

    def forward(
        self,
        u: Tensor,
        v: Tensor,
        *,
        u0: Tensor,
        r: Tensor,
        edges: Tensor,
        stretch: Tensor | None = None,
        shifts: Tensor | None = None,
    ) -> Fields:
        """Run all steps on clips without padding.

        Args:
            u: (B, C, L).
            v: (B, C, L).
            u0: (B, C, L).
            r: (B, C, L).
            edges: (B, L - 1) edge weights between neighbouring clips.
            stretch: (B,) as in `ReactionDiffusion.forward`, the same for all videos, for clips of
                another length; None: 1.
            shifts: (B, RATES, C) numbers that are added to the raw rates of each video; None: 0.

        Returns:
            u and v after all steps, (B, C, L) each.
        """
        rates = StepRates(*(self._of_videos(rate) for rate in self.learned(shifts)))
        run = self._sliced if stretch is None else self._gathered(rates, edges, stretch)
        for some in parts(self.steps, self.raw_thirst is not None):
            drive = Drive(fed(u0, v, self.raw_thirst), r)
            u, v = run(Fields(u, v), drive, rates, edges, some)
        return Fields(u, v)

    @staticmethod
    def _of_videos(rate: Tensor) -> Tensor:
        """Reshape a rate (C,) or (B, C) to (1 or B, C, 1)."""
        return (rate if rate.dim() == 2 else rate[None])[..., None]

    def _sliced(
        self, fields: Fields, drive: Drive, rates: StepRates, edges: Tensor, steps: int
    ) -> Fields:
        """Run the steps one group after the other, with time as the first axis.

        The neighbours of all clips are then one piece of memory.
        """
        done, first = [], 0
        for dilation, width in zip(self.dilations, self.widths, strict=True):
            own = slice(first, first + width)
            u, v, u0, r = (x[:, own].permute(2, 0, 1).contiguous() for x in (*fields, *drive))
            a_u, a_v, f, kappa, dt = (rate[:, own].permute(2, 0, 1) for rate in rates)
            link = _spanned(edges, dilation).transpose(0, 1)[:-dilation, :, None]
            kept = (1.0 + f).expand_as(u), (1.0 / (1.0 + kappa)).expand_as(u)
            flows = (link * a_u, link * a_v)
            done.append(_loop(_stepped)((u, v), (r * dt, f * u0), kept, flows, dilation, steps))
            first += width
        return Fields(*(torch.cat(x, 2).permute(1, 2, 0) for x in zip(*done, strict=True)))

    def _gathered(self, rates: StepRates, edges: Tensor, stretch: Tensor) -> Callable[..., Fields]:
        """Return a function like `_sliced` for distances that are known when the graph runs."""
        wanted = self.distance.to(edges.dtype) * stretch[:1]
        distance = (wanted - ROUNDING).ceil().clamp_min(1.0).long()
        nearer = (wanted / distance.to(edges.dtype)).square()

        def run(
            fields: Fields, drive: Drive, rates: StepRates, edges: Tensor, steps: int
        ) -> Fields:
            u, v = fields
            a_u, a_v, f, kappa, dt = rates
            clip = torch.ones_like(u[0, :1], dtype=torch.long).cumsum(-1) - 1  # (1, L)
            to_right = _weakest(edges, distance, clip)
            right = torch.minimum(clip + distance, clip[:, -1:]).expand(u.shape)
            before = clip - distance
            left = before.clamp_min(0).expand(u.shape)
            to_left = to_right.gather(2, left) * (before >= 0).to(u.dtype)
            neighbours = [_twice(x) for x in (right, left, to_right, to_left)]
            diffusion = torch.cat([a_u * nearer, a_v * nearer], -2)
            made = _loop(_evolved)(
                u, v, drive.u0, drive.r * dt, diffusion, f, kappa, *neighbours, steps
            )
            return Fields(*made)

        return run


def _spanned(edges: Tensor, dilation: int) -> Tensor:
    """Return (B, L): weight of the edge to the right of each clip, 0 at the video's end.

    A long edge takes the smallest weight between its two clips.
    """
    padded = functional.pad(edges, (0, dilation))[:, None]
    return -functional.max_pool1d(-padded, dilation, 1)[:, 0]


def _weakest(edges: Tensor, distance: Tensor, clip: Tensor) -> Tensor:
    """Return (B, C, L), as `_spanned` does, for distances that are only known when the graph runs.

    Take 2^k <= n < 2^(k + 1). The minimum of n numbers is the smaller of two minima: of the first
    2^k numbers and of the last 2^k numbers. So it is enough to know the minimum of every 2^k
    neighbouring numbers.

    Args:
        edges: (B, L - 1).
        distance: (C, 1) distances in clips.
        clip: (1, L) numbers of the clips.
    """
    smallest = functional.pad(edges, (0, 1))  # (B, L): no edge after the last clip
    powers = [smallest]
    last = clip[:, -1:]
    for doubling in range(MOST_DOUBLINGS):
        place = (clip + 2**doubling).minimum(last).expand_as(smallest)
        powers.append(torch.minimum(powers[-1], powers[-1].gather(1, place)))
    every = torch.stack(powers, 1)  # (B, K, L)
    sizes = 2 ** torch.arange(1, MOST_DOUBLINGS + 1, device=edges.device)
    k = (distance >= sizes).sum(1)  # (C,)
    size = (2**k)[:, None]
    first = every.index_select(1, k)
    other = first.gather(2, (clip + distance - size).minimum(last).expand_as(first))
    return torch.minimum(first, other)


def _loop(steps: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
    """Script a loop of steps if a trace runs. A trace keeps a loop only if the loop is scripted."""
    return _scripted(steps) if torch.jit.is_tracing() else steps


@cache
def _scripted(steps: Callable[..., Any]) -> Callable[..., tuple[Tensor, Tensor]]:
    """Script a loop, only for exports: torch warns that `torch.jit.script` is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted: Callable[..., tuple[Tensor, Tensor]] = torch.jit.script(steps)
    return scripted


def _twice(x: Tensor) -> Tensor:
    """Repeat x along the channels: once for u, and once for v."""
    return torch.cat([x, x], 1)


def _evolved(
    u: Tensor,
    v: Tensor,
    u0: Tensor,
    rho: Tensor,
    a: Tensor,
    f: Tensor,
    kappa: Tensor,
    right: Tensor,
    left: Tensor,
    to_right: Tensor,
    to_left: Tensor,
    steps: int,
) -> tuple[Tensor, Tensor]:
    """Run the steps of `fusion.steppers.Patankar`; `right` and `left` (1, 2C, L) are neighbours."""
    channels = u.shape[1]
    w = torch.cat([u, v], 1)
    for _ in range(steps):
        from_right = to_right * (w.gather(2, right) - w)
        from_left = to_left * (w.gather(2, left) - w)
        w = w + a * (from_right + from_left)
        u, v = w[:, :channels], w[:, channels:]
        eaten = rho * v * v
        u = (u + f * u0) / (1.0 + f + eaten)
        v = (v + eaten * u) / (1.0 + kappa)
        w = torch.cat([u, v], 1)
    return w[:, :channels], w[:, channels:]


def _stepped(
    fields: tuple[Tensor, Tensor],
    drive: tuple[Tensor, Tensor],
    losses: tuple[Tensor, Tensor],
    flows: tuple[Tensor, Tensor],
    dilation: int,
    steps: int,
) -> tuple[Tensor, Tensor]:
    """Run the steps of `fusion.steppers.Patankar`, with time as the first axis.

    Args:
        fields: u and v, (L, B, C) each.
        drive: ρ and f u0, (L, B, C) each.
        losses: 1 + f and 1 / (1 + κ), (L, B, C) each.
        flows: diffusion of u and of v over each edge, (L - dilation, B, C) each.
        dilation: distance in clips between neighbours.
        steps: number of steps.
    """
    u, v = fields
    rho, feed = drive
    loss_u, kept_v = losses
    to_u, to_v = flows
    none = torch.zeros_like(u[:dilation])
    for _ in range(steps):
        flow = to_u * (u[dilation:] - u[:-dilation])
        u = u + torch.cat([flow, none]) - torch.cat([none, flow])
        flow = to_v * (v[dilation:] - v[:-dilation])
        v = v + torch.cat([flow, none]) - torch.cat([none, flow])
        eaten = rho * v * v
        u = (u + feed) / (loss_u + eaten)
        v = (v + eaten * u) * kept_v
    return u, v

"""Reaction-diffusion as one loop over all channels, for exports."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdmf_cli.fusion.module import ROUNDING, ReactionDiffusion, fed, parts
from rdmf_cli.fusion.reaction import Fields

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
            u: (1, C, L).
            v: (1, C, L).
            u0: (1, C, L).
            r: (1, C, L).
            edges: (1, L - 1) edge weights between neighbouring clips.
            stretch: (1,) as in `ReactionDiffusion.forward`, for clips of another length; None: 1.
            shifts: (1, RATES, C) as in `ReactionDiffusion.forward`; None: 0.

        Returns:
            u and v after all steps, (1, C, L) each.
        """
        a_u, a_v, f, kappa, dt = (rate[..., None] for rate in self.learned(shifts))
        clip = torch.ones_like(u[0, :1], dtype=torch.long).cumsum(-1) - 1  # (1, L)
        if stretch is None:
            distance, to_right = self.distance, self._links(edges, u)
        else:
            wanted = self.distance.to(u.dtype) * stretch
            distance = (wanted - ROUNDING).ceil().clamp_min(1.0).long()
            nearer = (wanted / distance.to(u.dtype)).square()
            a_u, a_v = a_u * nearer, a_v * nearer
            to_right = _weakest(edges, distance, clip)
        right = torch.minimum(clip + distance, clip[:, -1:])[None]
        before = (clip - distance)[None]
        left = before.clamp_min(0)
        to_left = to_right.gather(2, left) * (before >= 0).to(u.dtype)
        neighbours = [_twice(x) for x in (right, left, to_right, to_left)]
        diffusion = torch.cat([a_u, a_v], -2)
        for some in parts(self.steps, self.raw_thirst is not None):
            level = fed(u0, v, self.raw_thirst)
            u, v = _steps()(u, v, level, r * dt, diffusion, f, kappa, *neighbours, some)
        return Fields(u, v)

    def _links(self, edges: Tensor, u: Tensor) -> Tensor:
        """Return (1, C, L): weight of the edge to the right of each clip, 0 at the video's end.

        A long edge takes the smallest weight between its two clips.
        """
        padded = functional.pad(edges, (0, max(self.dilations)))[:, None]
        weakest = [-functional.max_pool1d(-padded, d, 1) for d in self.dilations]
        clips = u.shape[-1]
        links = zip(weakest, self.widths, strict=True)
        return torch.cat([link[..., :clips].expand(-1, width, -1) for link, width in links], 1)


def _weakest(edges: Tensor, distance: Tensor, clip: Tensor) -> Tensor:
    """Return (1, C, L), as `_links` does, for distances that are only known when the graph runs.

    Take 2^k <= n < 2^(k + 1). The minimum of n numbers is the smaller of two minima: of the first
    2^k numbers and of the last 2^k numbers. So it is enough to know the minimum of every 2^k
    neighbouring numbers.

    Args:
        edges: (1, L - 1).
        distance: (C, 1) distances in clips.
        clip: (1, L) numbers of the clips.
    """
    smallest = functional.pad(edges, (0, 1))  # (1, L): no edge after the last clip
    powers = [smallest]
    last = clip[:, -1:]
    for doubling in range(MOST_DOUBLINGS):
        behind = powers[-1].gather(1, (clip + 2**doubling).minimum(last))
        powers.append(torch.minimum(powers[-1], behind))
    every = torch.cat(powers)  # (K, L)
    sizes = 2 ** torch.arange(1, MOST_DOUBLINGS + 1, device=edges.device)
    k = (distance >= sizes).sum(1)  # (C,)
    size = (2**k)[:, None]
    own = every.index_select(0, k)
    first = own.gather(1, clip.expand_as(own))
    other = own.gather(1, (clip + distance - size).minimum(last))
    return torch.minimum(first, other)[None]


def _steps() -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the loop of steps. A trace keeps a loop only if the loop is scripted."""
    return _scripted() if torch.jit.is_tracing() else _evolved


@cache
def _scripted() -> Callable[..., tuple[Tensor, Tensor]]:
    """Script the loop, only for exports: torch warns that `torch.jit.script` is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted: Callable[..., tuple[Tensor, Tensor]] = torch.jit.script(_evolved)
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

"""Reaction-diffusion as one loop over all channels, for exports."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdmf_cli.fusion.module import ReactionDiffusion
from rdmf_cli.fusion.reaction import Fields


class LoopedReactionDiffusion(nn.Module):
    """`ReactionDiffusion` on whole videos, with its steps as one loop over all channels.

    Traced step by step and group by group, it would have thousands of nodes and take seconds to
    load.
    """

    def __init__(self, evolve: ReactionDiffusion):
        super().__init__()
        self.learned, self.steps = evolve.learned, evolve.steps
        self.widths = [group.channels.stop - group.channels.start for group in evolve.groups]
        self.dilations = [group.dilation for group in evolve.groups]
        distance = torch.tensor(self.dilations).repeat_interleave(torch.tensor(self.widths))
        self.distance: Tensor
        self.register_buffer("distance", distance[:, None], persistent=False)

    def forward(
        self, u: Tensor, v: Tensor, *, u0: Tensor, r: Tensor, mask: Tensor, edges: Tensor
    ) -> Fields:
        """Run all steps on clips without padding.

        Args:
            u: (1, C, L).
            v: (1, C, L).
            u0: (1, C, L).
            r: (1, C, L).
            mask: not read; all clips are real.
            edges: (1, L - 1) edge weights between neighbouring clips.

        Returns:
            u and v after all steps, (1, C, L) each.
        """
        a_u, a_v, f, kappa, dt = (rate[:, None] for rate in self.learned())
        clip = torch.ones_like(u[0, :1], dtype=torch.long).cumsum(-1) - 1  # (1, L)
        right = torch.minimum(clip + self.distance, clip[:, -1:])[None]
        before = (clip - self.distance)[None]
        left = before.clamp_min(0)
        to_right = self._links(edges, u)
        to_left = to_right.gather(2, left) * (before >= 0).to(u.dtype)
        return Fields(
            *_steps()(
                u,
                v,
                u0,
                r * dt,
                torch.cat([a_u, a_v]),
                f,
                kappa,
                _twice(right),
                _twice(left),
                _twice(to_right),
                _twice(to_left),
                self.steps,
            )
        )

    def _links(self, edges: Tensor, u: Tensor) -> Tensor:
        """Return (1, C, L): weight of the edge to the right of each clip, 0 at the video's end.

        A long edge takes the smallest weight that it crosses.
        """
        padded = functional.pad(edges, (0, max(self.dilations)))[:, None]
        weakest = [-functional.max_pool1d(-padded, d, 1) for d in self.dilations]
        clips = u.shape[-1]
        links = zip(weakest, self.widths, strict=True)
        return torch.cat([link[..., :clips].expand(-1, width, -1) for link, width in links], 1)


def _steps() -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the loop of steps; a trace keeps it as a loop only where it is scripted."""
    return _scripted() if torch.jit.is_tracing() else _evolved


@cache
def _scripted() -> Callable[..., tuple[Tensor, Tensor]]:
    """Script the loop, for exports alone: torch warns that `torch.jit.script` is deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted: Callable[..., tuple[Tensor, Tensor]] = torch.jit.script(_evolved)
    return scripted


def _twice(x: Tensor) -> Tensor:
    """Return x for u and for v, one below the other."""
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
    """Run the steps of `fusion.steppers.Patankar`; right, left: (1, 2C, L) neighbours."""
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

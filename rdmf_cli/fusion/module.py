"""The fusion as a torch module: rates per channel, learned within the bounds that keep it stable.

Importing this module imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion import kernels, stability
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.fusion.reaction import MAX_DIFFUSION, Drive, Fields, Rates, StepRates

TURING_RATIO = 16.0  # D_u / D_v of channels that start in the Turing band: 59 % of (F, k) are in it
PLAIN_RATIO = 2.0  # and of the others: Gray-Scott's usual one


class LearnedRates(nn.Module):
    """Rates of C channels, each free to move only where the scheme stays positive.

    a_u, a_v = ½ σ(·) in (0, ½); f, κ - f, dt = softplus(·) > 0.
    """

    raw_a_u: Tensor
    raw_a_v: Tensor
    raw_f: Tensor
    raw_kill: Tensor
    raw_dt: Tensor

    def __init__(self, initial: Rates):
        super().__init__()
        step = initial.per_step
        bounded = {"a_u": step.a_u, "a_v": step.a_v}
        positive = {"f": step.f, "kill": step.kappa - step.f, "dt": step.dt}
        channels = initial.channels
        for name, value in bounded.items():
            self._add(name, _logit(np.broadcast_to(value, channels) / MAX_DIFFUSION))
        for name, value in positive.items():
            self._add(name, _inverse_softplus(np.broadcast_to(value, channels)))

    def _add(self, name: str, value: np.ndarray) -> None:
        self.register_parameter(f"raw_{name}", nn.Parameter(torch.as_tensor(value).float()))

    def forward(self) -> StepRates:
        """The rates per step, (C,) each, differentiable."""
        f, kill, dt = (functional.softplus(x) for x in (self.raw_f, self.raw_kill, self.raw_dt))
        a_u, a_v = (MAX_DIFFUSION * torch.sigmoid(x) for x in (self.raw_a_u, self.raw_a_v))
        return StepRates(a_u, a_v, f, f + kill, dt)

    @property
    def rates(self) -> Rates:
        """The rates per unit of pseudo-time as float64 numpy arrays, for `stability`."""
        a_u, a_v, f, kappa, dt = (x.detach().double().cpu().numpy() for x in self())
        return Rates(D_u=a_u / dt, D_v=a_v / dt, F=f / dt, k=(kappa - f) / dt, dt=dt)


class ChannelGroup(NamedTuple):
    """Consecutive channels that exchange with neighbours at one distance."""

    channels: slice
    dilation: int


class ReactionDiffusion(nn.Module):
    """N reaction-diffusion steps on fields (B, C, L), all rates learned.

    channels:  C, shared out evenly to the dilations.
    steps:     N; may be changed at any time, and overridden in a call.
    dilations: the distance, in clips, of the neighbours each group of channels exchanges with.
    turing_share: of the channels, this part starts Turing-unstable (at r = u0 = 1), and
               `turing_prior` holds it there.
    backend:   see `kernels.BACKENDS`; "auto" takes the fastest for the tensors' device.

    Training needs memory O(L C), whatever N, on the fast backends.

    >>> fuse = ReactionDiffusion(64, steps=12, dilations=(1, 2, 4, 8))
    >>> u, v = fuse(u, v, u0=u0, r=r, mask=mask)        # (B, 64, L) each, mask (B, L)
    """

    def __init__(
        self,
        channels: int,
        *,
        steps: int = 12,
        dilations: Sequence[int] = (1, 2, 4, 8),
        turing_share: float = 0.25,
        backend: str = "auto",
    ):
        super().__init__()
        if not 0.0 <= turing_share <= 1.0:
            raise RdmfError(f"turing_share is {turing_share}", todo="give a share from 0 to 1")
        if channels < len(dilations):
            raise RdmfError(
                f"{channels} channels for {len(dilations)} dilations",
                todo="give each dilation a channel",
            )
        self.channels, self.steps = channels, steps
        self.turing_share, self.backend = turing_share, backend
        self.groups = list(_groups(channels, dilations))
        starts = [initial_rates(_width(group), turing_share) for group in self.groups]
        self.learned = LearnedRates(_joined(starts))

    @property
    def halo(self) -> int:
        """Clips to each side that a result depends on."""
        return self.steps * max(group.dilation for group in self.groups)

    @property
    def rates(self) -> Rates:
        """The present rates, numpy (C,)."""
        return self.learned.rates

    def forward(
        self,
        u: Tensor,
        v: Tensor,
        *,
        u0: Tensor,
        r: Tensor,
        mask: Tensor | None = None,
        edges: Tensor | None = None,
        steps: int | None = None,
    ) -> Fields:
        """The fields after N steps.

        u, v, u0, r: (B, C, L). mask: (B, L), True at real clips; the others come back as 0.
        edges: (B, L - 1), weight in [0, 1] of every pair of neighbouring clips; a longer edge
        takes the weakest weight it crosses (`span_edges`).
        float16 and bfloat16 are computed in float32 and returned as they came.
        """
        dtype = v.dtype
        work = dtype if dtype in (torch.float32, torch.float64) else torch.float32
        inputs = [x.to(work) for x in (u, v, u0, r)]
        if mask is not None:
            mask = mask.bool()[:, None]
            inputs = [x.masked_fill(~mask, 0.0) for x in inputs]
        edges = None if edges is None else edges.to(work)[:, None]
        rates = StepRates(*(rate[:, None].to(work) for rate in self.learned()))
        groups = [
            kernels.Group(
                channels, Chain.of(inputs[0], mask=mask, edges=edges, dilations=(dilation,))
            )
            for channels, dilation in self.groups
        ]
        u, v, u0, r = inputs
        steps = self.steps if steps is None else steps
        after = kernels.run(self.backend, Fields(u, v), Drive(u0, r), rates, groups, steps)
        return Fields(*(x.to(dtype) for x in after))

    def analyze(self, **settings: Any) -> list[stability.Regime]:
        """The regime of every channel at the present rates; settings as for `analyze`.

        r and u0 may be given per channel (C,).
        """
        return [row for group in self.groups for row in self._analyzed(group, settings)]

    def _analyzed(self, group: ChannelGroup, settings: dict[str, Any]) -> list[stability.Regime]:
        def own(x: Any) -> Any:
            return x[group.channels] if np.ndim(x) else x

        rates = self.rates
        rates = Rates(*(own(x) for x in (rates.D_u, rates.D_v, rates.F, rates.k, rates.dt)))
        settings = {**settings, **{n: own(settings[n]) for n in ("r", "u0") if n in settings}}
        analysis = stability.analyze(rates, dilations=(group.dilation,), **settings)
        return analysis.rows(first=group.channels.start)

    def turing_prior(self, r: float = 1.0, margin: float = 0.02) -> Tensor:
        """A penalty, 0 once the chosen share of channels is Turing-unstable at match r, u0 = 1.

        Add it to the loss. The channels nearest to the band are the ones pulled into it, so which
        channels pattern is left to the training. margin: how far inside, relative.
        """
        wanted = round(self.turing_share * self.channels)
        distance = turing_distance(self.learned(), r, margin)
        return distance.sort().values[:wanted].sum() / max(wanted, 1)


def turing_distance(rates: StepRates, r: float = 1.0, margin: float = 0.0) -> Tensor:
    """How far each channel (C,) is from Turing's conditions at u0 = 1; 0 where all hold.

    The sum of the shortfalls of: a lit state exists; tr J < 0; the pattern-forming determinant
    is negative somewhere. Each is made dimensionless, so that `margin` means the same in all.
    """
    a_u, a_v, f, kappa, dt = rates
    gap = 1.0 - 4.0 * kappa**2 / (r * dt * f)  # (u+ - u-)² : above 0 the lit state exists
    root = gap.clamp_min(1e-6).sqrt()
    u = (1.0 - root) / 2.0
    pull = kappa**2 / (r * dt * u**2)  # ρ v² at the lit state, from ρ u v = κ
    trace = (kappa - f - pull) / kappa
    determinant = kappa * (pull - f)
    lean = a_u * kappa - a_v * (pull + f)
    scale = a_u * kappa + a_v * (pull + f)
    pattern = (lean - 2.0 * (a_u * a_v * determinant.clamp_min(0.0)).sqrt()) / scale
    shortfalls = (margin - gap, margin + trace, margin - pattern)
    return sum((functional.relu(x) for x in shortfalls[1:]), functional.relu(shortfalls[0]))


def initial_rates(channels: int, turing_share: float = 0.25) -> Rates:
    """Where learning starts: channels from short to long moments, some in the Turing band.

    Feeds are log-spaced, D along with them (slow channels reach far); removal is set so that the
    threshold r* is 1/2, and in the Turing channels to the middle of the unstable band at r = 1.
    """
    patterned = round(turing_share * channels)
    return _joined([_plain_rates(channels - patterned), _turing_rates(patterned)])


def _plain_rates(channels: int) -> Rates:
    feed = np.geomspace(0.12, 0.015, channels)
    removal = np.sqrt(0.5 * feed) / 2.0  # r* = 4 (F + k)² / F = 1/2
    D_v = np.geomspace(0.02, 0.22, channels)
    return Rates(D_u=PLAIN_RATIO * D_v, D_v=D_v, F=feed, k=removal - feed, dt=np.ones(channels))


def _turing_rates(channels: int) -> Rates:
    feed = np.geomspace(0.1, 0.02, channels)
    D_u = np.full(channels, 0.45)
    D_v = D_u / TURING_RATIO
    kill = np.array([_kill_in_band(*row) for row in zip(D_u, D_v, feed, strict=True)])
    return Rates(D_u=D_u, D_v=D_v, F=feed, k=kill.reshape(channels), dt=np.ones(channels))


def _kill_in_band(D_u: float, D_v: float, feed: float) -> float:
    """The middle of the kills for which the scheme forms a pattern at r = u0 = 1."""
    kills = np.linspace(0.0, np.sqrt(feed) / 2.0 - feed, 200)  # up to r* = 1
    analysis = stability.analyze(Rates(D_u=D_u, D_v=D_v, F=feed, k=kills), length=64)
    return float(np.median(kills[analysis.regime == stability.RegimeName.TURING.value]))


def _groups(channels: int, dilations: Sequence[int]) -> Iterator[ChannelGroup]:
    for part, dilation in zip(
        np.array_split(np.arange(channels), len(dilations)), dilations, strict=True
    ):
        yield ChannelGroup(slice(int(part[0]), int(part[-1]) + 1), dilation)


def _width(group: ChannelGroup) -> int:
    return group.channels.stop - group.channels.start


def _joined(parts: Sequence[Rates]) -> Rates:
    names = ("D_u", "D_v", "F", "k", "dt")
    return Rates(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _logit(share: np.ndarray) -> np.ndarray:
    return np.log(share) - np.log1p(-share)


def _inverse_softplus(x: np.ndarray) -> np.ndarray:
    return x + np.log(-np.expm1(-x))

"""The fusion as a torch module: it learns one set of rates per channel, within stable ranges.

Importing this module imports torch.
"""

from __future__ import annotations

import math
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

TURING_RATIO = 16.0  # initial D_u / D_v of Turing channels: 59 % of (F, k) then form patterns
RATES = 5  # a_u, a_v, f, kill and dt
POOL_STEPS = 3  # steps between two readings of the pool
FIRST_THIRST = 0.5  # initial thirst of every channel
ROUNDING = 1e-6  # in clips: a distance less than this above a whole number is rounded down to it
PLAIN_RATIO = 2.0  # initial D_u / D_v of the other channels: the usual ratio of Gray-Scott


class LearnedRates(nn.Module):
    """Learnable rates of C channels.

    Within the range of the rates, u and v always stay at or above 0.

    a_u, a_v = ½ σ(raw) in (0, ½); f, κ - f and dt = softplus(raw) > 0.
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

    def forward(self, shifts: Tensor | None = None) -> StepRates:
        """Return the rates per step, differentiable.

        Args:
            shifts: (B, RATES, C) numbers to add to the raw rates, for rates that differ from video
                to video; None: 0. With any shifts the rates stay in their range.

        Returns:
            (C,) each; with shifts (B, C) each.
        """
        raw = [self.raw_a_u, self.raw_a_v, self.raw_f, self.raw_kill, self.raw_dt]
        if shifts is not None:
            raw = [x + shift for x, shift in zip(raw, shifts.unbind(1), strict=True)]
        a_u, a_v = (MAX_DIFFUSION * torch.sigmoid(x) for x in raw[:2])
        f, kill, dt = (functional.softplus(x) for x in raw[2:])
        return StepRates(a_u, a_v, f, f + kill, dt)

    @property
    def rates(self) -> Rates:
        """The rates per unit of pseudo-time as float64 numpy arrays (C,), for `stability`."""
        a_u, a_v, f, kappa, dt = (x.detach().double().cpu().numpy() for x in self())
        return Rates(D_u=a_u / dt, D_v=a_v / dt, F=f / dt, k=(kappa - f) / dt, dt=dt)


class ChannelGroup(NamedTuple):
    """Consecutive channels that share one dilation, the distance in clips between neighbours."""

    channels: slice
    dilation: int


class ReactionDiffusion(nn.Module):
    """N reaction-diffusion steps on fields (B, C, L). All rates are learned.

    Training needs memory O(L C) for any N on the fast backends.

    >>> fuse = ReactionDiffusion(64, steps=12, dilations=(1, 2, 4, 8))
    >>> u, v = fuse(u, v, u0=u0, r=r, mask=mask)        # (B, 64, L) each, mask (B, L)

    Args:
        channels: C, divided evenly among the dilations.
        steps: N. N may be changed at any time, or given per call.
        dilations: for each group of channels, the distance in clips between a clip and the
            neighbours that it exchanges with.
        turing_share: share of the channels, from 0 to 1, that start Turing-unstable (at r = u0 =
            1). `turing_prior` keeps at least this share Turing-unstable.
        pool: all clips share one supply of u (a global inhibitor; see `supply`).
        backend: a name in `kernels.BACKENDS`, or "auto": the fastest backend for the tensors'
            device.

    Raises:
        RdmfError: turing_share is outside [0, 1], or there are fewer channels than dilations.
    """

    def __init__(
        self,
        channels: int,
        *,
        steps: int = 12,
        dilations: Sequence[int] = (1, 2, 4, 8),
        turing_share: float = 0.25,
        pool: bool = False,
        backend: str = "auto",
    ):
        super().__init__()
        if not 0.0 <= turing_share <= 1.0:
            what = f"turing_share is {turing_share}"
            raise RdmfError(what, todo="give a number from 0 to 1")
        if channels < len(dilations):
            raise RdmfError(
                f"{channels} channels for {len(dilations)} dilations",
                todo="give at least one channel per dilation",
            )
        self.channels, self.steps = channels, steps
        self.turing_share, self.backend = turing_share, backend
        self.groups = list(_groups(channels, dilations))
        starts = [initial_rates(_width(group), turing_share) for group in self.groups]
        self.learned = LearnedRates(_joined(starts))
        start = torch.full((channels,), float(_inverse_softplus(np.array(FIRST_THIRST))))
        self.raw_thirst = nn.Parameter(start) if pool else None

    @property
    def halo(self) -> int:
        """Number of clips to each side of a clip on which its result depends."""
        return self.steps * max(group.dilation for group in self.groups)

    @property
    def rates(self) -> Rates:
        """The present rates, numpy arrays (C,)."""
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
        stretch: float = 1.0,
        shifts: Tensor | None = None,
    ) -> Fields:
        """Run N steps.

        Inputs in float16 or bfloat16 are computed in float32; the result has their dtype.

        Args:
            u: (B, C, L) substrate.
            v: (B, C, L) activator.
            u0: (B, C, L) level of the feed.
            r: (B, C, L) reaction rate.
            mask: (B, L) True at real clips; the result is 0 at masked clips.
            edges: (B, L - 1) edge weights in [0, 1] between neighbouring clips. An edge between
                more distant clips takes the smallest weight between the two clips (`span_edges`).
            steps: N for this call; None: `self.steps`.
            stretch: clip length to which the rates belong, divided by the length of these clips: 2
                if these clips are half as long. Distances in seconds and diffusion in seconds² do
                not change.
            shifts: (B, RATES, C) numbers to add to the raw rates of each video; None: 0.

        Returns:
            u and v after N steps, (B, C, L) each.
        """
        dtype = v.dtype
        work = dtype if dtype in (torch.float32, torch.float64) else torch.float32
        inputs = [x.to(work) for x in (u, v, u0, r)]
        if mask is not None:
            mask = mask.bool()[:, None]
            inputs = [x.masked_fill(~mask, 0.0) for x in inputs]
        edges = None if edges is None else edges.to(work)[:, None]
        rates = StepRates(*(rate[..., None].to(work) for rate in self._stretched(stretch, shifts)))
        groups = []
        for channels, dilation in self.groups:
            distances = (self._distance(dilation, stretch),)
            chain = Chain.of(inputs[0], mask=mask, edges=edges, dilations=distances)
            groups.append(kernels.Group(channels, chain))
        u, v, u0, r = inputs
        steps = self.steps if steps is None else steps
        for some in parts(steps, self.raw_thirst is not None):
            drive = Drive(fed(u0, v, self.raw_thirst, mask), r)
            u, v = kernels.run(self.backend, Fields(u, v), drive, rates, groups, some)
        return Fields(u.to(dtype), v.to(dtype))

    @staticmethod
    def _distance(dilation: int, stretch: float) -> int:
        """Return the distance in clips between neighbours if clips are `stretch` times shorter."""
        return max(math.ceil(dilation * stretch - ROUNDING), 1)

    def _stretched(self, stretch: float, shifts: Tensor | None = None) -> StepRates:
        """Return the rates per step for clips that are `stretch` times shorter.

        a = D dt / d² for neighbours at a distance of d seconds. Distances are rounded up to whole
        clips. So a never rises, and u and v stay at or above 0 without shorter steps.
        """
        rates: StepRates = self.learned(shifts)
        if stretch == 1.0:
            return rates
        nearer = [d * stretch / self._distance(d, stretch) for _, d in self.groups]
        widths = [_width(group) for group in self.groups]
        share = rates.a_u.new_tensor(np.repeat(np.square(nearer), widths))
        return rates._replace(a_u=rates.a_u * share, a_v=rates.a_v * share)

    def analyze(self, **settings: Any) -> list[stability.Regime]:
        """Determine the regime of every channel at the present rates.

        Args:
            **settings: the settings of `stability.analyze`; r and u0 may have one value per channel
                (C,).

        Returns:
            One `Regime` per channel, in order.
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
        """Compute a penalty: 0 if `turing_share` of the channels are Turing-unstable at u0 = 1.

        Add the penalty to the loss. The penalty acts on the channels that are nearest to Turing's
        conditions, so training decides which channels form patterns.

        Args:
            r: match of clip and query at which the conditions must hold.
            margin: relative distance by which the conditions must hold.

        Returns:
            A scalar, at least 0.
        """
        wanted = round(self.turing_share * self.channels)
        distance = turing_distance(self.learned(), r, margin)
        return distance.sort().values[:wanted].sum() / max(wanted, 1)


def parts(steps: int, pool: bool) -> Iterator[int]:
    """Yield the numbers of steps between two readings of the pool; without a pool, all steps."""
    each = POOL_STEPS if pool else max(steps, 1)
    for done in range(0, steps, each):
        yield min(each, steps - done)


def fed(u0: Tensor, v: Tensor, raw_thirst: Tensor | None, mask: Tensor | None = None) -> Tensor:
    """Return u0 times the share that is left in the pool, (B, C, L); without a pool, u0.

    Args:
        u0: (B, C, L) level of the feed.
        v: (B, C, L) activator, 0 at masked clips.
        raw_thirst: (C,) of which the softplus is the thirst; None: there is no pool.
        mask: (B, 1, L) True at real clips; None: all clips are real.
    """
    if raw_thirst is None:
        return u0
    return u0 * supply(v, functional.softplus(raw_thirst).to(v.dtype), mask)


def supply(v: Tensor, thirst: Tensor, mask: Tensor | None = None) -> Tensor:
    """Compute the share of the feed that is left in the pool: 1 / (1 + thirst · mean of v).

    All clips of a video draw on the same pool. The more v there is in the whole video, the less u
    every clip gets, and the weak moments starve first. The share lies in (0, 1], so u0 times the
    share stays in [0, 1], and all bounds of the reaction hold. The mean does not depend on the clip
    length, and hardly on the length of the video.

    Args:
        v: (B, C, L) activator, at least 0, and 0 at masked clips.
        thirst: (C,) at least 0; 0: the pool never runs low.
        mask: (B, 1, L) True at real clips; None: all clips are real.

    Returns:
        (B, C, 1).
    """
    clips = v.shape[-1] if mask is None else mask.sum(-1, keepdim=True).clamp_min(1)
    return 1.0 / (1.0 + thirst[:, None] * v.sum(-1, keepdim=True) / clips)


def turing_distance(rates: StepRates, r: float = 1.0, margin: float = 0.0) -> Tensor:
    """Measure how far each channel is from Turing's conditions at u0 = 1.

    There are three conditions: an active steady state exists; tr J < 0; the determinant of J - λ D
    is negative for some λ. The distance is the sum of the three amounts by which the channel misses
    them. Each amount is dimensionless, so that `margin` means the same for all conditions. For the
    conditions see docs/reaction-diffusion.md, "Turing patterns".

    Args:
        rates: rates per step, (C,) each.
        r: match of clip and query.
        margin: relative distance by which each condition must hold.

    Returns:
        (C,) distance, 0 if all conditions hold.
    """
    a_u, a_v, f, kappa, dt = rates
    gap = 1.0 - 4.0 * kappa**2 / (r * dt * f)  # (u+ - u-)²: if above 0, the active state exists
    root = gap.clamp_min(1e-6).sqrt()
    u = (1.0 - root) / 2.0
    pull = kappa**2 / (r * dt * u**2)  # ρ v² at the active state, from ρ u v = κ
    trace = (kappa - f - pull) / kappa
    determinant = kappa * (pull - f)
    lean = a_u * kappa - a_v * (pull + f)
    scale = a_u * kappa + a_v * (pull + f)
    pattern = (lean - 2.0 * (a_u * a_v * determinant.clamp_min(0.0)).sqrt()) / scale
    shortfalls = (margin - gap, margin + trace, margin - pattern)
    return sum((functional.relu(x) for x in shortfalls[1:]), functional.relu(shortfalls[0]))


def initial_rates(channels: int, turing_share: float = 0.25) -> Rates:
    """Choose the rates at the start of training, from those for short moments to those for long.

    The feeds F and the diffusion rates D are spaced logarithmically; channels with a slow feed
    diffuse far. The removal F + k puts the threshold r* at 1/2. In the Turing channels the removal
    lies in the middle of the unstable band at r = u0 = 1.

    Args:
        channels: C.
        turing_share: share of the channels that start in the Turing band.

    Returns:
        The rates, (C,) each.
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
    """Return the median of the kill rates at which the scheme forms a pattern for r = u0 = 1."""
    kills = np.linspace(0.0, np.sqrt(feed) / 2.0 - feed, 200)  # up to r* = 1
    analysis = stability.analyze(Rates(D_u=D_u, D_v=D_v, F=feed, k=kills), length=64)
    return float(np.median(kills[analysis.regime == stability.RegimeName.TURING.value]))


def _groups(channels: int, dilations: Sequence[int]) -> Iterator[ChannelGroup]:
    for part, dilation in zip(
        np.array_split(np.arange(channels), len(dilations)), dilations, strict=True
    ):
        yield ChannelGroup(slice(int(part[0]), int(part[-1]) + 1), dilation)


def _width(group: ChannelGroup) -> int:
    return int(group.channels.stop - group.channels.start)


def _joined(parts: Sequence[Rates]) -> Rates:
    names = ("D_u", "D_v", "F", "k", "dt")
    return Rates(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _logit(share: np.ndarray) -> np.ndarray:
    logit: np.ndarray = np.log(share) - np.log1p(-share)
    return logit


def _inverse_softplus(x: np.ndarray) -> np.ndarray:
    inverse: np.ndarray = x + np.log(-np.expm1(-x))
    return inverse

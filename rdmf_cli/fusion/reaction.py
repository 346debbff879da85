"""Gray-Scott with data coupling, and the rates it runs at.

    ∂u/∂t = D_u Δu - r u v² + F (u0 - u)
    ∂v/∂t = D_v Δv + r u v² - (F + k) v

u in [0, 1] is what the video offers, v >= 0 what the query has lit, u0 in [0, 1] the level of the
feed, r >= 0 the match of clip and query. r = u0 = 1 is the system of Gray and Scott (1983) as
Pearson (1993) simulated it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion.arrays import Array, column, is_torch, like

MAX_DIFFUSION = 0.5
"""Largest D dt: beyond it a clip with two neighbours gives away more than it has."""


class Fields(NamedTuple):
    """Substrate and activator, (..., C, L) each."""

    u: Array
    v: Array


class Drive(NamedTuple):
    """What the data imposes: the level of the feed u0 and the reaction rate r, (..., C, L)."""

    u0: Array
    r: Array


class StepRates(NamedTuple):
    """Rates of one step, unchecked: a_u, a_v in [0, 1/2], f >= 0, kappa >= f, dt > 0.

    Numbers, (C,) or, as the steppers take them, (C, 1).
    """

    a_u: Array
    a_v: Array
    f: Array
    kappa: Array
    dt: Array

    def columns(self, field: Array) -> StepRates:
        """The rates shaped to stand beside fields (..., C, L), in their dtype and place."""
        return StepRates(*(column(rate, field) for rate in self))


@dataclass(frozen=True)
class Rates:
    """The rates of every channel, in units of pseudo-time; numbers or arrays (C,).

    D_u, D_v: diffusion (clips² per unit); F: feed; k: kill; dt: length of a step.
    Raises RdmfError, naming the rate and the channel, for rates the scheme cannot keep positive.
    """

    D_u: Array
    D_v: Array
    F: Array
    k: Array
    dt: Array = 1.0

    def __post_init__(self) -> None:
        given = [getattr(self, field.name) for field in fields(self)]
        tensor = next((x for x in given if is_torch(x)), np.empty(0))
        for field, value in zip(fields(self), given, strict=True):
            object.__setattr__(self, field.name, like(value, tensor))
            _check(field.name, getattr(self, field.name), low=0.0)
        if bool((_plain(self.dt) <= 0).any()):
            raise RdmfError("a step must take time: dt is 0", todo="give dt above 0")
        _check("a_u = D_u dt", self.a_u, low=0.0, high=MAX_DIFFUSION)
        _check("a_v = D_v dt", self.a_v, low=0.0, high=MAX_DIFFUSION)
        _check_channels({f.name: _plain(getattr(self, f.name)).size for f in fields(self)})

    @property
    def a_u(self) -> Array:
        """Diffusion of u per step."""
        return self.D_u * self.dt

    @property
    def a_v(self) -> Array:
        """Diffusion of v per step."""
        return self.D_v * self.dt

    @property
    def f(self) -> Array:
        """Feed per step."""
        return self.F * self.dt

    @property
    def kappa(self) -> Array:
        """Removal of v per step, (F + k) dt."""
        return (self.F + self.k) * self.dt

    @property
    def per_step(self) -> StepRates:
        """What the steppers use."""
        return StepRates(self.a_u, self.a_v, self.f, self.kappa, self.dt)

    @property
    def channels(self) -> int:
        """C, or 1 where all rates are numbers."""
        return max(_plain(getattr(self, field.name)).size for field in fields(self))


def conversion(u: Array, v: Array, r: Array) -> Array:
    """How fast u becomes v at each clip: r u v²."""
    return r * u * v * v


def gray_scott(fields: Fields, drive: Drive, feed: Array, removal: Array) -> Fields:
    """The reaction's right-hand side (∂u/∂t, ∂v/∂t without diffusion).

    feed: F, removal: F + k (both per unit of time, or both per step with r dt as the drive's r).
    """
    u, v = fields
    converted = conversion(u, v, drive.r)
    return Fields(feed * (drive.u0 - u) - converted, converted - removal * v)


def react(fields: Fields, drive: Drive, rates: StepRates) -> Fields:
    """The reaction over one step, positive for every rate (after Patankar, 1980).

        u⁺ = (u + f u0) / (1 + f + ρ v²),   v⁺ = (v + ρ v² u⁺) / (1 + κ),   ρ = r dt

    Losses are taken in the new value, so nothing can go below zero; v gains exactly the ρ v² u⁺
    that u loses: (1 + f) u⁺ + (1 + κ) v⁺ = u + v + f u0.
    """
    u, v = fields
    pull = drive.r * rates.dt * v * v  # ρ v²
    u = (u + rates.f * drive.u0) / (1.0 + rates.f + pull)
    v = (v + pull * u) / (1.0 + rates.kappa)
    return Fields(u, v)


def _plain(x: Array) -> np.ndarray:
    return np.asarray(x.detach().cpu() if is_torch(x) else x, dtype=np.float64)


def _check_channels(sizes: dict[str, int]) -> None:
    if len(set(sizes.values()) - {1}) > 1:
        named = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise RdmfError(f"rates for different numbers of channels: {named}", todo="give C or 1")


def _check(name: str, value: Array, low: float, high: float = np.inf) -> None:
    numbers = _plain(value)
    if numbers.ndim > 1:
        raise RdmfError(f"{name} has shape {numbers.shape}", todo="give a number or one a channel")
    # rounding of D · dt must not refuse a setting that is 1/2 on paper
    outside = ~(np.isfinite(numbers) & (numbers >= low) & (numbers <= high * (1 + 1e-12)))
    if not outside.any():
        return
    channel = int(np.flatnonzero(outside)[0])
    where = f" in channel {channel}" if numbers.ndim else ""
    allowed = f"between {low:g} and {high:g}" if np.isfinite(high) else f"finite and >= {low:g}"
    raise RdmfError(
        f"{name} is {float(numbers.reshape(-1)[channel]):g}{where}", todo=f"it must be {allowed}"
    )

"""The Gray-Scott reaction, driven by the data, and its rates.

    ∂u/∂t = D_u Δu - r u v² + F (u0 - u)
    ∂v/∂t = D_v Δv + r u v² - (F + k) v

u in [0, 1] is the substrate (what the video offers). v >= 0 is the activator (what matches the
query and spreads). u0 in [0, 1] is the feed level. r >= 0 is the match of clip and query. With r =
u0 = 1 this is the system of Gray and Scott (1983), which Pearson (1993) simulated. arXiv 2606.01615
uses the system to fuse video and language; see docs/reaction-diffusion.md.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion.arrays import Array, column, is_torch, like

MAX_DIFFUSION = 0.5
"""Largest D dt. Above this value a clip with two neighbours would give away more than it has."""


class Fields(NamedTuple):
    """Substrate u and activator v, (..., C, L) each."""

    u: Array
    v: Array


class Drive(NamedTuple):
    """The inputs from the data: the feed level u0 and the reaction rate r, (..., C, L) each."""

    u0: Array
    r: Array


class StepRates(NamedTuple):
    """Rates per step, not checked: numbers or arrays (C,). The steppers take arrays (C, 1).

    Attributes:
        a_u: diffusion of u, D_u dt, in [0, 1/2].
        a_v: diffusion of v, D_v dt, in [0, 1/2].
        f: feed, F dt, at least 0.
        kappa: removal of v, (F + k) dt, at least f.
        dt: length of a step in pseudo-time, above 0.
    """

    a_u: Array
    a_v: Array
    f: Array
    kappa: Array
    dt: Array

    def columns(self, field: Array) -> StepRates:
        """Reshape the rates to (C, 1), in the dtype and on the device of a field (..., C, L)."""
        return StepRates(*(column(rate, field) for rate in self))


@dataclass(frozen=True)
class Rates:
    """Rates of every channel per unit of pseudo-time: numbers or arrays (C,).

    Attributes:
        D_u: diffusion of u (clips² per unit).
        D_v: diffusion of v (clips² per unit).
        F: feed.
        k: kill.
        dt: length of a step.

    Raises:
        RdmfError: a rate could make u or v negative; the error names the rate and the channel.
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
            raise RdmfError("dt is 0, so time does not advance", todo="give dt above 0")
        _check("a_u = D_u dt", self.a_u, low=0.0, high=MAX_DIFFUSION)
        _check("a_v = D_v dt", self.a_v, low=0.0, high=MAX_DIFFUSION)
        _check_channels({f.name: _plain(getattr(self, f.name)).size for f in fields(self)})

    @property
    def a_u(self) -> Array:
        """Diffusion of u per step, D_u dt, (C,)."""
        return self.D_u * self.dt

    @property
    def a_v(self) -> Array:
        """Diffusion of v per step, D_v dt, (C,)."""
        return self.D_v * self.dt

    @property
    def f(self) -> Array:
        """Feed per step, F dt, (C,)."""
        return self.F * self.dt

    @property
    def kappa(self) -> Array:
        """Removal of v per step, (F + k) dt, (C,)."""
        return (self.F + self.k) * self.dt

    @property
    def per_step(self) -> StepRates:
        """The rates per step, as the steppers use them."""
        return StepRates(self.a_u, self.a_v, self.f, self.kappa, self.dt)

    @property
    def channels(self) -> int:
        """Number of channels C; 1 if all rates are numbers."""
        return max(_plain(getattr(self, field.name)).size for field in fields(self))


def conversion(u: Array, v: Array, r: Array) -> Array:
    """Compute how fast u turns into v: r u v². u, v and r have shape (..., C, L)."""
    return r * u * v * v


def gray_scott(fields: Fields, drive: Drive, feed: Array, removal: Array) -> Fields:
    """Compute the right-hand side of the reaction: ∂u/∂t and ∂v/∂t without diffusion.

    Args:
        fields: u and v, (..., C, L) each.
        drive: u0 and r, (..., C, L) each.
        feed: F, a number or (C, 1).
        removal: F + k, a number or (C, 1). Feed and removal are per unit of pseudo-time. They may
            also be per step; then the drive's r must be r dt.

    Returns:
        The two derivatives, (..., C, L) each.
    """
    u, v = fields
    converted = conversion(u, v, drive.r)
    return Fields(feed * (drive.u0 - u) - converted, converted - removal * v)


def react(fields: Fields, drive: Drive, rates: StepRates) -> Fields:
    """Advance the reaction by one step; u and v stay at or above 0 (after Patankar, 1980).

        u⁺ = (u + f u0) / (1 + f + ρ v²),   v⁺ = (v + ρ v² u⁺) / (1 + κ),   ρ = r dt

    The losses are computed from the new values, so u and v never fall below zero. u loses ρ v² u⁺,
    and v gains exactly this amount: (1 + f) u⁺ + (1 + κ) v⁺ = u + v + f u0.

    Args:
        fields: u and v, (..., C, L) each.
        drive: u0 and r, (..., C, L) each.
        rates: rates per step, numbers or (C, 1).

    Returns:
        u⁺ and v⁺, (..., C, L) each.
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
        what = f"the rates are for different numbers of channels: {named}"
        raise RdmfError(what, todo="give each rate as one number, or as one per channel")


def _check(name: str, value: Array, low: float, high: float = np.inf) -> None:
    numbers = _plain(value)
    if numbers.ndim > 1:
        raise RdmfError(
            f"{name} has shape {numbers.shape}", todo="give one number, or one per channel"
        )
    # a D · dt that is exactly 1/2 must not be refused because of rounding
    outside = ~(np.isfinite(numbers) & (numbers >= low) & (numbers <= high * (1 + 1e-12)))
    if not outside.any():
        return
    channel = int(np.flatnonzero(outside)[0])
    where = f" in channel {channel}" if numbers.ndim else ""
    allowed = f"between {low:g} and {high:g}" if np.isfinite(high) else f"finite and >= {low:g}"
    raise RdmfError(
        f"{name} is {float(numbers.reshape(-1)[channel]):g}{where}", todo=f"it must be {allowed}"
    )

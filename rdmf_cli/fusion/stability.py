"""Predict what a set of rates does, without a run: steady states, Turing's conditions, spacing.

The functions use numpy only and compute all channels at once: every rate is a number or an array
(C,), and so are r and u0. There are up to three uniform steady states: extinct (u0, 0), in which
nothing matches; active (u-, v-), which has the larger v; and the saddle (u+, v+) between these two.
If a clip's match r is below the threshold r*, the active state and the saddle do not exist; the
functions return NaN for them. For the derivations see docs/reaction-diffusion.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import ClassVar, NamedTuple

import numpy as np

from rdmf_cli.fusion.operators import checked_dilations
from rdmf_cli.fusion.reaction import Rates

GRID = 2048
"""Number of wave numbers if no length is given. The spacing is then exact to about 0.1 %."""


class SteadyState(NamedTuple):
    """A uniform state that does not change: u and v, (C,) each."""

    u: np.ndarray
    v: np.ndarray


class SteadyStates(NamedTuple):
    """All uniform steady states: extinct (u0, 0) and, for r >= r*, saddle and active state."""

    extinct: SteadyState
    saddle: SteadyState
    active: SteadyState


class RegimeName(str, Enum):
    """The ways in which a channel can react to a clip whose match with the query is r."""

    EXTINCT = "extinct"  # r < r*: v falls to 0
    BISTABLE = "bistable"  # an active clip stays active, an inactive clip stays inactive
    OSCILLATORY = "oscillatory"  # the active state exists but is unstable even when uniform
    TURING = "turing"  # the active state is stable if uniform, but unstable to a pattern
    UNDAMPED = "undamped"  # nothing removes v (F + k = 0): it grows until u is used up


def threshold(rates: Rates, u0: np.ndarray | float = 1.0) -> np.ndarray:
    """Compute r* = 4 (F + k)² / (F u0²): the lowest match at which a clip can stay active.

    Args:
        rates: D_u, D_v, F, k and dt; each is a number or (C,).
        u0: level of the feed, a number or (C,).

    Returns:
        (C,) threshold; inf without feed, 0 if nothing removes v.
    """
    feed, removal, u0, _ = _rates(rates, u0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 4.0 * removal**2 / (feed * u0**2)
    return np.where(removal == 0, 0.0, np.where(feed * u0**2 > 0, value, np.inf))


def steady_states(
    rates: Rates, r: np.ndarray | float = 1.0, u0: np.ndarray | float = 1.0
) -> SteadyStates:
    """Compute the uniform steady states. The equations and the scheme have the same states.

    Args:
        rates: D_u, D_v, F, k and dt; each is a number or (C,).
        r: match of clip and query, a number or (C,).
        u0: level of the feed, a number or (C,).

    Returns:
        The three states, (C,) each; NaN if a state does not exist.
    """
    feed, removal, u0, r = _rates(rates, u0, r)
    with np.errstate(divide="ignore", invalid="ignore"):
        product = removal**2 / (r * feed)  # u+ u-
        high = (u0 + np.sqrt(u0**2 - 4.0 * product)) / 2.0
        # not (u0 - sqrt(...)) / 2, and v not F (u0 - u) / (F + k): at large r these formulas lose
        # digits by cancellation
        low = product / high
        active, saddle = removal / (r * low), removal / (r * high)
    return SteadyStates(
        SteadyState(u0, np.zeros_like(u0)), SteadyState(high, saddle), SteadyState(low, active)
    )


def jacobian(rates: Rates, state: SteadyState, r: np.ndarray | float = 1.0) -> np.ndarray:
    """Compute the Jacobian of the reaction's right-hand side at any (u, v).

    Args:
        rates: D_u, D_v, F, k and dt; each is a number or (C,).
        state: u and v, (C,) each.
        r: match of clip and query, a number or (C,).

    Returns:
        (C, 2, 2).
    """
    feed, removal, _, r = _rates(rates, 1.0, r)
    u, v = state
    return _matrices(-r * v**2 - feed, -2.0 * r * u * v, r * v**2, 2.0 * r * u * v - removal)


def step_jacobian(
    rates: Rates,
    state: SteadyState,
    r: np.ndarray | float = 1.0,
    u0: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Compute the Jacobian R of one Patankar reaction step (`reaction.react`) at any (u, v).

    Args:
        rates: D_u, D_v, F, k and dt; each is a number or (C,).
        state: u and v, (C,) each.
        r: match of clip and query, a number or (C,).
        u0: level of the feed, a number or (C,).

    Returns:
        (C, 2, 2).
    """
    _, _, u0, r = _rates(rates, u0, r)
    u, v = state
    f, kappa, rho = (np.asarray(x, float) for x in (rates.f, rates.kappa, r * rates.dt))
    pull = rho * v**2
    held = 1.0 + f + pull
    new_u = (u + f * u0) / held
    du_du, du_dv = 1.0 / held, -2.0 * rho * v * new_u / held
    dv_du = pull * du_du
    dv_dv = 1.0 + 2.0 * rho * v * new_u + pull * du_dv
    return _matrices(du_du, du_dv, dv_du / (1.0 + kappa), dv_dv / (1.0 + kappa))


def wave_numbers(length: int | None = None, dilations: Sequence[int] = (1,)) -> np.ndarray:
    """List the wave numbers θ of the modes cos(θ (i + 1/2)) of a chain.

    The wavelength of θ is 2 π / θ clips. If all dilations share a divisor g, the chain consists of
    g interleaved chains that never exchange. Then waves above π / g repeat the waves below π / g,
    and are left out.

    Args:
        length: L clips of the chain; None: a chain without ends.
        dilations: distances of the neighbours in clips.

    Returns:
        (Q,) ascending: π q / L for q = 0 … L - 1, or a grid of `GRID` + 1 values on [0, π].
    """
    end = np.pi / math.gcd(*checked_dilations(dilations))
    if length is None:
        return np.linspace(0.0, end, GRID + 1)
    theta = np.pi * np.arange(length) / length
    return theta[theta <= end]


def eigenvalues(theta: np.ndarray, dilations: Sequence[int] = (1,)) -> np.ndarray:
    """Compute λ(θ), the mean over the dilations d of 2 - 2 cos(d θ).

    The eigenvalues of the Laplacian are -λ. This is exact for d = 1 with θ = π q / L. For other d
    it holds for waves far from the ends of the chain.

    Args:
        theta: (Q,) wave numbers.
        dilations: distances of the neighbours in clips.

    Returns:
        (Q,) in [0, 4].
    """
    spread = [2.0 - 2.0 * np.cos(d * np.asarray(theta)) for d in checked_dilations(dilations)]
    mean: np.ndarray = np.mean(spread, axis=0)
    return mean


def dispersion(
    rates: Rates,
    modes: np.ndarray,
    r: np.ndarray | float = 1.0,
    u0: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Compute how fast perturbations of the active state grow per unit of pseudo-time.

    This is the largest real part of the eigenvalues of J - λ diag(D_u, D_v), with the Jacobian J of
    the reaction at the active state (`jacobian`).

    Args:
        rates: D_u, D_v, F, k and dt; each is a number or (C,).
        modes: (Q,) eigenvalues λ >= 0 of -Δ.
        r: match of clip and query, a number or (C,).
        u0: level of the feed, a number or (C,).

    Returns:
        (C, Q); NaN if there is no active state.
    """
    J = jacobian(rates, steady_states(rates, r, u0).active, r)[:, None]
    D = np.stack(np.broadcast_arrays(*(_row(x) for x in (rates.D_u, rates.D_v))), -1)
    return _largest_real(J - modes[:, None, None] * (D[:, None, :, None] * np.eye(2)))


def amplification(
    rates: Rates,
    modes: np.ndarray,
    r: np.ndarray | float = 1.0,
    u0: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Compute the factor by which perturbations of the active state grow per step of the scheme.

    This is the spectral radius of G = R diag(1 - a_u λ, 1 - a_v λ), with R from `step_jacobian`.
    Above 1 the perturbation grows.

    Args:
        rates: D_u, D_v, F, k and dt; each is a number or (C,).
        modes: (Q,) eigenvalues λ >= 0 of -Δ.
        r: match of clip and query, a number or (C,).
        u0: level of the feed, a number or (C,).

    Returns:
        (C, Q); NaN if there is no active state.
    """
    R = step_jacobian(rates, steady_states(rates, r, u0).active, r, u0)[:, None]
    a = np.stack(np.broadcast_arrays(*(_row(x) for x in (rates.a_u, rates.a_v))), -1)
    return _spectral_radius(R * (1.0 - a[:, None, None, :] * modes[:, None, None]))


class Turing(NamedTuple):
    """Turing's conditions at the active state, per channel.

    J is the Jacobian of the reaction at the active state (`jacobian`), J11 and J22 are its diagonal
    entries, and D = diag(D_u, D_v).

    Attributes:
        stable_uniform: bool (C,) tr J < 0 and det J > 0; False if there is no active state.
        unstable: bool (C,) the state is stable if uniform, and some pattern grows.
        fastest: (C,) the λ that minimises det(J - λ D), (D_v J11 + D_u J22) / (2 D_u D_v); NaN if
            no pattern grows.
    """

    stable_uniform: np.ndarray
    unstable: np.ndarray
    fastest: np.ndarray


def turing(rates: Rates, r: np.ndarray | float = 1.0, u0: np.ndarray | float = 1.0) -> Turing:
    """Evaluate Turing's conditions (1952) for the equations, on a chain that can hold any wave.

    Args:
        rates: D_u, D_v, F, k and dt; each is a number or (C,).
        r: match of clip and query, a number or (C,).
        u0: level of the feed, a number or (C,).

    Returns:
        The conditions, (C,) each.
    """
    J = jacobian(rates, steady_states(rates, r, u0).active, r)
    D_u, D_v = _row(rates.D_u), _row(rates.D_v)
    trace, determinant = J[:, 0, 0] + J[:, 1, 1], _determinant(J)
    lean = D_v * J[:, 0, 0] + D_u * J[:, 1, 1]
    stable = (trace < 0) & (determinant > 0)
    grows = (lean > 0) & (lean**2 > 4.0 * D_u * D_v * determinant)
    with np.errstate(divide="ignore", invalid="ignore"):
        fastest = lean / (2.0 * D_u * D_v)
    return Turing(stable, stable & grows, np.where(stable & grows, fastest, np.nan))


@dataclass(frozen=True)
class Regime:
    """The regime of one channel; `rdmf fuse --analyze` prints the columns named in `COLUMNS`.

    Attributes:
        channel: number of the channel, from 0.
        D_u: diffusion of u (clips² per unit of pseudo-time).
        D_v: diffusion of v (clips² per unit of pseudo-time).
        F: feed.
        k: kill.
        dt: length of a step.
        regime: a value of `RegimeName`, computed from the numerical scheme, not the equations.
        r_star: threshold r*: the match that a clip needs to stay active.
        spacing_clips: wavelength of the pattern that grows fastest; NaN if no pattern grows.
        spacing_seconds: the same wavelength in seconds.
        growth: largest factor per step of a patterned perturbation; NaN without an active state.
        turing: whether Turing's conditions hold for the equations.
    """

    channel: int
    D_u: float
    D_v: float
    F: float
    k: float
    dt: float
    regime: str
    r_star: float
    spacing_clips: float
    spacing_seconds: float
    growth: float
    turing: bool

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "channel",
        "D_u",
        "D_v",
        "F",
        "k",
        "dt",
        "regime",
        "r_star",
        "spacing_seconds",
    )

    def as_row(self) -> dict[str, float | int | str]:
        """Return the values of the table's columns, by name."""
        return {name: getattr(self, name) for name in self.COLUMNS}


@dataclass(frozen=True)
class Analysis:
    """The regimes of all channels, arrays (C,); see `Regime` for the attributes."""

    D_u: np.ndarray
    D_v: np.ndarray
    F: np.ndarray
    k: np.ndarray
    dt: np.ndarray
    regime: np.ndarray
    r_star: np.ndarray
    spacing_clips: np.ndarray
    spacing_seconds: np.ndarray
    growth: np.ndarray
    turing: np.ndarray

    def rows(self, first: int = 0) -> list[Regime]:
        """Convert to one `Regime` per channel, numbered from `first`."""
        names = [field.name for field in fields(self)]
        columns = zip(*(getattr(self, name).tolist() for name in names), strict=True)
        return [
            Regime(channel, **dict(zip(names, row, strict=True)))
            for channel, row in enumerate(columns, start=first)
        ]


def analyze(
    rates: Rates,
    *,
    r: np.ndarray | float = 1.0,
    u0: np.ndarray | float = 1.0,
    clip_seconds: float = 2.0,
    length: int | None = None,
    dilations: Sequence[int] = (1,),
) -> Analysis:
    """Determine the regime of each channel: how the channel reacts to a clip.

    The regime is computed from the numerical scheme (`amplification`). `turing` states whether
    Turing's conditions hold for the equations.

    Args:
        rates: D_u, D_v, F, k and dt; each is a number or (C,).
        r: match of clip and query, a number or (C,).
        u0: level of the feed, a number or (C,).
        clip_seconds: length of a clip in seconds.
        length: number L of clips of the video. Only wavelengths that fit this length can form a
            pattern. None: any wavelength.
        dilations: distances of the neighbours in clips.

    Returns:
        The regimes of all channels, (C,) each.
    """
    theta = wave_numbers(length, dilations)
    growth = amplification(rates, eigenvalues(theta, dilations), r, u0)
    C = max(len(growth), _channels(rates, u0, r))
    growth = np.broadcast_to(growth, (C, len(theta)))
    patterned, spacing = _fastest(growth, theta)
    columns = {f.name: np.broadcast_to(_row(getattr(rates, f.name)), C) for f in fields(rates)}
    return Analysis(
        **columns,
        regime=_regimes(rates, growth[:, 0], patterned),
        r_star=np.broadcast_to(threshold(rates, u0), C),
        spacing_clips=spacing,
        spacing_seconds=spacing * clip_seconds,
        growth=patterned,
        turing=np.broadcast_to(turing(rates, r, u0).unstable, C),
    )


def _fastest(growth: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest growth over θ > 0 and its wavelength in clips, NaN if nothing grows."""
    if len(theta) < 2:
        nothing = np.full(len(growth), np.nan)
        return nothing, nothing
    best = np.argmax(growth[:, 1:], axis=1) + 1
    largest = growth[np.arange(len(growth)), best]
    grows = (largest > 1.0) & (growth[:, 0] < 1.0)
    return largest, np.where(grows, 2.0 * np.pi / theta[best], np.nan)


def _regimes(rates: Rates, uniform: np.ndarray, patterned: np.ndarray) -> np.ndarray:
    undamped = np.broadcast_to(_row(rates.kappa) == 0, uniform.shape)
    conditions = [undamped, np.isnan(uniform), uniform >= 1.0, patterned > 1.0]
    names = [RegimeName.UNDAMPED, RegimeName.EXTINCT, RegimeName.OSCILLATORY, RegimeName.TURING]
    chosen = np.select(conditions, [n.value for n in names], RegimeName.BISTABLE.value)
    return np.asarray(chosen)


def _row(x: np.ndarray | float) -> np.ndarray:
    return np.atleast_1d(np.asarray(x, dtype=np.float64))


def _channels(rates: Rates, *more: np.ndarray | float) -> int:
    return max(rates.channels, *(_row(x).size for x in more))


def _rates(
    rates: Rates, u0: np.ndarray | float, r: np.ndarray | float = 1.0
) -> tuple[np.ndarray, ...]:
    """Return F, F + k, u0 and r, (C,) each."""
    feed, kill = _row(rates.F), _row(rates.k)
    return tuple(np.broadcast_arrays(feed, feed + kill, _row(u0), _row(r)))


def _matrices(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return [[a, b], [c, d]] per channel: (C, 2, 2)."""
    a, b, c, d = np.broadcast_arrays(a, b, c, d)
    return np.stack([np.stack([a, b], -1), np.stack([c, d], -1)], -2)


def _determinant(M: np.ndarray) -> np.ndarray:
    determinant: np.ndarray = M[..., 0, 0] * M[..., 1, 1] - M[..., 0, 1] * M[..., 1, 0]
    return determinant


def _eigenvalue_pair(M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two eigenvalues of each 2 x 2 matrix, complex; NaN if the matrix holds NaN."""
    half = (M[..., 0, 0] + M[..., 1, 1]) / 2.0
    root = np.sqrt((half**2 - _determinant(M)).astype(complex))
    return half + root, half - root


def _largest_real(M: np.ndarray) -> np.ndarray:
    first, second = _eigenvalue_pair(M)
    largest: np.ndarray = np.maximum(first.real, second.real)
    return largest


def _spectral_radius(M: np.ndarray) -> np.ndarray:
    first, second = _eigenvalue_pair(M)
    radius: np.ndarray = np.maximum(np.abs(first), np.abs(second))
    return radius

"""Numerical schemes: they advance the fields in pseudo-time. `STEPPERS` names the schemes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion.arrays import (
    Array,
    boolean,
    broadcast,
    cast,
    floating,
    like,
    namespace,
    result_dtype,
)
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.fusion.reaction import Drive, Fields, Rates, StepRates, gray_scott, react


class Stepper(Protocol):
    """A numerical scheme.

    Attributes:
        order: order of its error in dt.
        positive: whether u and v stay at or above 0 for every rate.
    """

    order: int
    positive: bool

    def step(self, fields: Fields, drive: Drive, rates: StepRates, chain: Chain) -> Fields:
        """Advance the fields by one step of length dt.

        Args:
            fields: u and v, (..., C, L) each.
            drive: u0 and r, (..., C, L) each.
            rates: rates per step, numbers or (C, 1).
            chain: the clips, as prepared by `Chain.of`.

        Returns:
            The fields one step later.
        """


class Patankar:
    """Diffuse, then react with implicit losses (Lie splitting): u and v stay at or above 0."""

    order = 1
    positive = True

    def step(self, fields: Fields, drive: Drive, rates: StepRates, chain: Chain) -> Fields:
        """Advance the fields by one step; see `Stepper.step`."""
        u = fields.u + rates.a_u * chain.laplacian(fields.u)
        v = fields.v + rates.a_v * chain.laplacian(fields.v)
        return react(Fields(u, v), drive, rates)


class ExplicitEuler:
    """The explicit Euler scheme, for comparison. At large rates u and v can leave their bounds."""

    order = 1
    positive = False

    def step(self, fields: Fields, drive: Drive, rates: StepRates, chain: Chain) -> Fields:
        """Advance the fields by one step; see `Stepper.step`."""
        u, v = fields
        per_step = Drive(drive.u0, drive.r * rates.dt)
        change = gray_scott(fields, per_step, rates.f, rates.kappa)
        return Fields(
            u + rates.a_u * chain.laplacian(u) + change.u,
            v + rates.a_v * chain.laplacian(v) + change.v,
        )


STEPPERS: dict[str, Stepper] = {"patankar": Patankar(), "euler": ExplicitEuler()}


def named_stepper(name: str) -> Stepper:
    """Return the scheme with this name.

    Raises:
        RdmfError: there is no such scheme; the error lists the schemes that exist.
    """
    if name not in STEPPERS:
        raise RdmfError("unknown stepper", name, f"choose one of: {', '.join(STEPPERS)}")
    return STEPPERS[name]


def evolve(
    u: Array,
    v: Array,
    *,
    u0: Array,
    r: Array,
    rates: Rates | StepRates,
    steps: int,
    mask: Array | None = None,
    edges: Array | None = None,
    dilations: Sequence[int] = (1,),
    stepper: str = "patankar",
    trace: bool = False,
) -> Fields:
    """Run the reaction-diffusion fusion for `steps` steps.

    Inputs in float16 or bfloat16 are computed in float32.

    >>> u, v = evolve(np.ones((4, 75)), seed, u0=1.0, r=match, rates=rates, steps=16)

    Args:
        u: (..., C, L) substrate; or (..., L) with rates that are plain numbers.
        v: activator, of the same shape.
        u0: level of the feed; a number, or broadcasts to the fields.
        r: reaction rate (match of clip and query); a number, or broadcasts to the fields.
        rates: rates per unit of pseudo-time, or per step.
        steps: number of steps, at least 0.
        mask: True at real clips, broadcasts to the fields. Masked clips exchange nothing and are 0
            in the result, even if they held NaN.
        edges: (..., L - 1) edge weights in [0, 1] between neighbouring clips. An edge between more
            distant clips takes the smallest weight between the two clips (`span_edges`).
        dilations: distances in clips between a clip and the neighbours that it exchanges with; all
            distances share D equally.
        stepper: a name in `STEPPERS`.
        trace: return all states instead of the last state alone.

    Returns:
        Fields(u, v) in the dtype of v: the last state, (..., C, L) each; with `trace` all states,
        from the initial state to the last, (steps + 1, ..., C, L) each.

    Raises:
        RdmfError: steps is negative, the stepper is unknown, or the edges do not fit the clips.
    """
    if steps < 0:
        raise RdmfError(f"steps is {steps}", "steps", "give 0 or more")
    fields, drive, per_step = prepared(u, v, u0, r, rates, mask)
    chain = Chain.of(fields.v, mask=mask, edges=edges, dilations=dilations)
    states = [fields]
    scheme = named_stepper(stepper)
    for _ in range(steps):
        fields = scheme.step(fields, drive, per_step, chain)
        states = [*states, fields] if trace else [fields]
    return _result(states, trace, dtype=result_dtype(v))


def prepared(
    u: Array, v: Array, u0: Array, r: Array, rates: Rates | StepRates, mask: Array | None
) -> tuple[Fields, Drive, StepRates]:
    """Convert the inputs of `evolve` to one shape, dtype and kind, with 0 at masked clips.

    Args:
        u: (..., C, L) substrate. All arguments are the same as for `evolve`.
        v: (..., C, L) activator; a dtype of float32 or float64 is kept.
        u0: a number, or broadcasts to the fields.
        r: a number, or broadcasts to the fields.
        rates: rates per unit of pseudo-time, or per step.
        mask: True at real clips; None: all clips are real.

    Returns:
        Fields and drive, (..., C, L) each, and the rates per step, numbers or (C, 1).
    """
    v = floating(v)
    per_step = (rates.per_step if isinstance(rates, Rates) else rates).columns(v)
    inputs = [like(x, v) for x in (u, v, u0, r)]
    shaped = (
        broadcast(*inputs, *per_step)[: len(inputs)]
        if mask is None
        else _masked(inputs, per_step, boolean(mask, v))
    )
    return Fields(*shaped[:2]), Drive(*shaped[2:]), per_step


def _masked(inputs: list[Array], per_step: StepRates, mask: Array) -> list[Array]:
    *shaped, real = broadcast(*inputs, mask, *per_step)[: len(inputs) + 1]
    return [namespace(x).where(real, x, 0.0) for x in shaped]


def _result(states: list[Fields], trace: bool, dtype: object) -> Fields:
    xp = namespace(states[-1].v)
    if not trace:
        return Fields(*(cast(field, dtype) for field in states[-1]))
    return Fields(*(cast(xp.stack(history), dtype) for history in zip(*states, strict=True)))

"""From one moment of pseudo-time to the next; `STEPPERS` names every scheme."""

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
    """A scheme: `order` of its error in dt, `positive` if no rate can make u or v negative."""

    order: int
    positive: bool

    def step(self, fields: Fields, drive: Drive, rates: StepRates, chain: Chain) -> Fields:
        """The fields one dt later."""


class Patankar:
    """Diffuse, then react with losses implicit (Lie splitting): positive for every rate."""

    order = 1
    positive = True

    def step(self, fields: Fields, drive: Drive, rates: StepRates, chain: Chain) -> Fields:
        u = fields.u + rates.a_u * chain.laplacian(fields.u)
        v = fields.v + rates.a_v * chain.laplacian(fields.v)
        return react(Fields(u, v), drive, rates)


class ExplicitEuler:
    """The textbook scheme, for comparison: goes negative or blows up at large rates."""

    order = 1
    positive = False

    def step(self, fields: Fields, drive: Drive, rates: StepRates, chain: Chain) -> Fields:
        u, v = fields
        per_step = Drive(drive.u0, drive.r * rates.dt)
        change = gray_scott(fields, per_step, rates.f, rates.kappa)
        return Fields(
            u + rates.a_u * chain.laplacian(u) + change.u,
            v + rates.a_v * chain.laplacian(v) + change.v,
        )


STEPPERS: dict[str, Stepper] = {"patankar": Patankar(), "euler": ExplicitEuler()}


def named_stepper(name: str) -> Stepper:
    """The scheme of that name, or an error that lists them."""
    if name not in STEPPERS:
        raise RdmfError("no such stepper", name, f"take one of: {', '.join(STEPPERS)}")
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
    """Let the query react with the video for `steps` steps.

    u, v:  (..., C, L), or (..., L) with rates that are plain numbers.
    u0, r: feed level and reaction rate, numbers or broadcastable to the fields.
    mask:  True at real clips, broadcastable; masked clips exchange nothing and come back as 0,
           whatever (even NaN) they held.
    edges: (..., L - 1) weights in [0, 1] of neighbouring clips, broadcastable; a longer edge takes
           the weakest weight it crosses. See `span_edges`.
    dilations: distances of the neighbours each clip exchanges with; they share D equally.
    Returns Fields(u, v), unpackable, in the dtype of v: the last state; with `trace` every state,
    (steps + 1, ..., C, L), the first being the initial one.
    float16 and bfloat16 are computed in float32.

    >>> u, v = evolve(np.ones((4, 75)), seed, u0=1.0, r=match, rates=rates, steps=16)
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
    """The inputs of `evolve` in one shape, dtype and kind, zero at masked clips."""
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

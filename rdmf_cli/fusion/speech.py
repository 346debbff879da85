"""The fusion with a third field: the video diffuses, the text reacts, speech feeds.

    ∂u/∂t = D_u Δu - r u v² + F (u0 - u)
    ∂v/∂t = D_v Δv + r u v² - (F + k) v + s w
    ∂w/∂t = G (w0 - w) - s w

u, v, u0 and r are the same as in `reaction`. w in [0, 1] is the speech that answers the query. w0
in [0, 1] is the level to which w is refilled: the match of query and speech. A line of speech has
its own start and end, so w does not diffuse. But w turns into v, and v spreads. With w = w0 = 0, u
and v equal the result of `evolve` bit for bit. The third field is this project's extension; see
docs/reaction-diffusion.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion.arrays import Array, boolean, broadcast, cast, like, namespace, result_dtype
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.fusion.reaction import Fields, Rates, StepRates
from rdmf_cli.fusion.steppers import STEPPERS, prepared


class SpokenFields(NamedTuple):
    """Substrate u, activator v and speech w, (..., C, L) each."""

    u: Array
    v: Array
    w: Array


@dataclass(frozen=True)
class SpeechRates:
    """Rates of the speech per step; all channels share these rates.

    Attributes:
        g: refill, G dt, at least 0.
        sigma: share of w that turns into v, s dt, at least 0.

    Raises:
        RdmfError: a rate is negative or not finite.
    """

    g: float
    sigma: float

    def __post_init__(self) -> None:
        for name in ("g", "sigma"):
            rate = getattr(self, name)
            if not 0.0 <= rate < float("inf"):
                raise RdmfError(f"{name} is {rate:g}", todo="it must be finite and >= 0")


def feed_by_speech(w: Array, w0: Array, speech: SpeechRates) -> Array:
    """Advance the speech by one step; w stays at or above 0 (after Patankar, 1980).

        w⁺ = (w + g w0) / (1 + g + σ)

    The speech loses σ w⁺, and the activator gains this amount: (1 + g) w⁺ + σ w⁺ = w + g w0.

    Args:
        w: (..., C, L) speech.
        w0: the level to which w is refilled, of the same shape.
        speech: rates per step.

    Returns:
        w⁺, (..., C, L).
    """
    return (w + speech.g * w0) / (1.0 + speech.g + speech.sigma)


def evolve_with_speech(
    u: Array,
    v: Array,
    w: Array,
    *,
    u0: Array,
    r: Array,
    w0: Array,
    rates: Rates | StepRates,
    speech: SpeechRates,
    steps: int,
    mask: Array | None = None,
    edges: Array | None = None,
    dilations: Sequence[int] = (1,),
) -> SpokenFields:
    """Run the fusion with speech for `steps` steps; see also `evolve`, the fusion without speech.

    A step is a step of the Patankar scheme, with v⁺ = (v + ρ v² u⁺ + σ w⁺) / (1 + κ). So u and w
    stay in [0, 1], v stays between 0 and max(v(0), (2 + f + g) / κ), and (1 + f) u⁺ + (1 + g) w⁺ +
    (1 + κ) v⁺ = u + v + w + f u0 + g w0.

    Args:
        u: (..., C, L) substrate.
        v: activator, of the same shape.
        w: speech; a number, or broadcasts to the fields.
        u0: level of the feed; a number, or broadcasts to the fields.
        r: reaction rate; a number, or broadcasts to the fields.
        w0: level of the speech, in [0, 1]; a number, or broadcasts to the fields.
        rates: rates per unit of pseudo-time, or per step.
        speech: rates of the speech, per step.
        steps: number of steps, at least 0.
        mask: True at real clips, broadcasts to the fields.
        edges: (..., L - 1) weights in [0, 1] between neighbouring clips.
        dilations: distances in clips of the neighbours that a clip exchanges with.

    Returns:
        The last state, (..., C, L) each, in the dtype of v; 0 at masked clips.

    Raises:
        RdmfError: steps is negative, or the edges do not fit the clips.
    """
    if steps < 0:
        raise RdmfError(f"steps is {steps}", "steps", "give 0 or more")
    fields, drive, per_step = prepared(u, v, u0, r, rates, mask)
    said, level = (_shaped(x, fields.v, mask) for x in (w, w0))
    chain = Chain.of(fields.v, mask=mask, edges=edges, dilations=dilations)
    scheme = STEPPERS["patankar"]
    for _ in range(steps):
        u_next, v_next = scheme.step(fields, drive, per_step, chain)
        said = feed_by_speech(said, level, speech)
        fields = Fields(u_next, v_next + speech.sigma * said / (1.0 + per_step.kappa))
    return SpokenFields(*(cast(field, result_dtype(v)) for field in (*fields, said)))


def _shaped(x: Array, field: Array, mask: Array | None) -> Array:
    """Expand the speech to the shape of the fields, with 0 at masked clips."""
    shaped = broadcast(like(x, field), field)[0]
    if mask is None:
        return shaped
    return namespace(field).where(broadcast(boolean(mask, field), field)[0], shaped, 0.0)

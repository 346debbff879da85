"""The fusion with speech: bounds, balance, and no change if nothing is said."""

from __future__ import annotations

import numpy as np
import pytest
from chains import BISTABLE, Case, cases, rates
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion import Rates, evolve
from rdmf_cli.fusion.speech import SpeechRates, SpokenFields, evolve_with_speech

CHANNELS = 3
SPEECH = st.builds(SpeechRates, st.floats(0, 100), st.floats(0, 100))


def spoken(case: Case, rates: Rates, speech: SpeechRates, steps: int) -> SpokenFields:
    return evolve_with_speech(
        case.u, case.v, case.u0, u0=case.u0, r=case.r, w0=case.u, rates=rates, speech=speech,
        steps=steps, mask=case.mask, edges=case.edges,
    )  # fmt: skip


@given(case=cases(), rates=rates(CHANNELS), speech=SPEECH, steps=st.integers(1, 12))
@settings(max_examples=60)
def test_bounds_hold_for_every_rate(case, rates, speech, steps):
    u, v, w = spoken(case, rates, speech, steps)
    for field in (u, w):
        assert (field >= 0).all()
        assert (field <= 1 + 1e-12).all()
    assert (v >= 0).all()
    f, kappa = rates.f[:, None], rates.kappa[:, None]
    highest = np.maximum(case.v.max(-1, keepdims=True), (2 + f + speech.g) / kappa)
    assert (v <= highest * (1 + 1e-12)).all()


@given(case=cases(), rates=rates(CHANNELS), speech=SPEECH)
@settings(max_examples=60)
def test_the_balance_of_a_step_is_exact_to_rounding(case, rates, speech):
    u, v, w = spoken(case, rates, speech, 1)
    f, kappa = rates.f[:, None], rates.kappa[:, None]
    after = (1 + f) * u + (1 + kappa) * v + (1 + speech.g) * w
    before = case.u + case.v + case.u0 + f * case.u0 + speech.g * case.u
    held, was = (np.where(case.mask, x, 0.0).sum(-1) for x in (after, before))
    np.testing.assert_allclose(held, was, rtol=1e-11)  # diffusion moves mass within a row


@given(case=cases(), rates=rates(CHANNELS), speech=SPEECH, steps=st.integers(0, 12))
@settings(max_examples=40)
def test_where_nothing_is_said_the_fusion_is_the_one_without_speech(case, rates, speech, steps):
    given_fields = {"u0": case.u0, "r": case.r, "rates": rates, "steps": steps}
    chain = {"mask": case.mask, "edges": case.edges, "dilations": (1, 2)}
    plain = evolve(case.u, case.v, **given_fields, **chain)
    u, v, w = evolve_with_speech(
        case.u, case.v, 0.0, w0=0.0, speech=speech, **given_fields, **chain
    )
    assert np.array_equal(u, plain.u)
    assert np.array_equal(v, plain.v)
    assert not w.any()


def test_without_a_reaction_speech_settles_where_the_equations_say():
    speech = SpeechRates(g=0.3, sigma=0.2)
    level = np.array([0.0, 0.5, 1.0])[:, None] * np.ones((3, 4))
    _, v, w = evolve_with_speech(
        np.ones((3, 4)), np.zeros((3, 4)), 0.0, u0=1.0, r=0.0, w0=level, rates=BISTABLE,
        speech=speech, steps=2_000,
    )  # fmt: skip
    settled = 0.3 * level / 0.5
    np.testing.assert_allclose(w, settled, atol=1e-12)
    np.testing.assert_allclose(v, 0.2 * settled / (BISTABLE.F + BISTABLE.k), atol=1e-9)


def test_speech_keeps_a_moment_active_that_the_pictures_alone_do_not():
    said = np.zeros(30)
    said[12:18] = 1.0
    rates = Rates(D_u=0.2, D_v=0.2, F=0.06, k=0.03)
    given_fields = {"u0": 1.0, "r": 0.5, "rates": rates, "steps": 400}
    silent = evolve(np.ones(30), np.full(30, 0.01), **given_fields)
    _, v, _ = evolve_with_speech(
        np.ones(30), np.full(30, 0.01), said, w0=said, speech=SpeechRates(0.1, 0.1), **given_fields
    )
    assert silent.v.max() < 1e-6
    assert v[12:18].min() > 0.3


def test_half_precision_stays_half_precision():
    field = np.ones(5, np.float16)
    fields = evolve_with_speech(
        field, field, 1.0, u0=1.0, r=1.0, w0=1.0, rates=BISTABLE,
        speech=SpeechRates(0.1, 0.1), steps=3,
    )  # fmt: skip
    assert {x.dtype for x in fields} == {np.dtype(np.float16)}


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
def test_rates_of_speech_that_could_go_negative_are_refused(rate):
    with pytest.raises(RdmfError, match="sigma is"):
        SpeechRates(g=0.1, sigma=rate)


def test_a_negative_number_of_steps_is_refused():
    with pytest.raises(RdmfError, match="steps is -1"):
        spoken(Case(0, CHANNELS, 4), Rates(0.1, 0.1, 0.1, 0.1), SpeechRates(0, 0), -1)

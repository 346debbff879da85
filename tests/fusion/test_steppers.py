"""The laws of the scheme, in float64, for random states and rates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from chains import BISTABLE, TURING, Case, cases, rates
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion import (
    STEPPERS,
    Drive,
    Fields,
    Rates,
    diffuse,
    evolve,
    react,
    steady_states,
)

CHANNELS = 3
DILATIONS = [(1,), (4,), (1, 2, 4)]


def reacted(case: Case, rates: Rates) -> tuple[Fields, tuple[np.ndarray, ...]]:
    per_step = rates.per_step.columns(case.v)
    after = react(Fields(case.u, case.v), Drive(case.u0, case.r), per_step)
    return after, (per_step.f, per_step.kappa, case.r * per_step.dt)


@given(case=cases(), rates=rates(CHANNELS))
def test_the_balance_is_exact_to_rounding(case: Case, rates: Rates) -> None:
    after, (f, kappa, _) = reacted(case, rates)
    held = (1 + f) * after.u + (1 + kappa) * after.v
    np.testing.assert_allclose(held, case.u + case.v + f * case.u0, rtol=1e-13)


@given(case=cases(), rates=rates(CHANNELS))
def test_what_u_loses_v_gains(case: Case, rates: Rates) -> None:
    after, (f, kappa, rho) = reacted(case, rates)
    converted = rho * case.v**2 * after.u
    scale = case.u + case.v + f
    lost = case.u + f * (case.u0 - after.u) - after.u
    gained = after.v + kappa * after.v - case.v
    assert (np.abs(lost - converted) <= 1e-13 * scale).all()
    assert (np.abs(gained - converted) <= 1e-13 * (scale + case.v)).all()


@pytest.mark.parametrize("dilations", DILATIONS)
@given(case=cases(), rates=rates(CHANNELS), steps=st.integers(1, 12))
@settings(max_examples=40)
def test_bounds_hold_for_every_rate_and_dt(
    dilations: tuple[int, ...], case: Case, rates: Rates, steps: int
) -> None:
    u, v = evolve(
        case.u, case.v, u0=case.u0, r=case.r, rates=rates, steps=steps,
        mask=case.mask, edges=case.edges, dilations=dilations, trace=True,
    )  # fmt: skip
    f, kappa = rates.f[:, None], rates.kappa[:, None]
    assert (u >= 0).all()
    assert (u <= 1 + 1e-12).all()
    assert (v >= 0).all()
    highest = np.maximum(v[0].max(-1, keepdims=True), (1 + f) / kappa)
    assert (v <= highest * (1 + 1e-12)).all()


def test_u_stays_below_its_level_and_the_feeds() -> None:
    case = Case(1, CHANNELS, 50)
    rates = Rates(D_u=0.0, D_v=0.0, F=0.1, k=0.1)
    after, _ = reacted(case, rates)
    assert (after.u <= np.maximum(case.u, case.u0)).all()


def test_explicit_euler_has_no_such_bounds() -> None:
    u, _ = evolve(
        np.ones(20), np.full(20, 0.9), u0=1.0, r=20.0,
        rates=Rates(D_u=0.1, D_v=0.1, F=0.1, k=0.1), steps=1, stepper="euler",
    )  # fmt: skip
    assert (u < 0).any()
    assert not STEPPERS["euler"].positive
    assert STEPPERS["patankar"].positive


@pytest.mark.parametrize("stepper", STEPPERS)
def test_the_error_is_of_the_order_the_scheme_claims(stepper: str) -> None:
    length, time = 40, 4.0
    start = 0.5 + 0.3 * np.cos(np.pi * 3 * (np.arange(length) + 0.5) / length)

    def after(steps: int) -> np.ndarray:
        rates = Rates(D_u=0.3, D_v=0.1, F=0.06, k=0.05, dt=time / steps)
        return evolve(1 - start, start, u0=1.0, r=1.0, rates=rates, steps=steps, stepper=stepper).v

    coarse, middle, fine = (after(n) for n in (256, 512, 1024))
    observed = np.log2(np.abs(coarse - middle).max() / np.abs(middle - fine).max())
    assert observed == pytest.approx(STEPPERS[stepper].order, abs=0.02)


def test_both_schemes_go_to_the_same_limit() -> None:
    case = Case(3, 1, 30, batch=1)

    def apart(steps: int) -> float:
        rates = Rates(D_u=0.3, D_v=0.1, F=0.06, k=0.05, dt=1.0 / steps)
        ends = [
            evolve(case.u, case.v / case.v.max(), u0=case.u0, r=1.0, rates=rates, steps=steps,
                   stepper=name).v
            for name in STEPPERS
        ]  # fmt: skip
        return np.abs(np.subtract(*ends)).max()

    assert apart(400) / apart(800) == pytest.approx(2.0, rel=0.02)
    assert apart(800) < 2e-3


@pytest.mark.parametrize("rates", [BISTABLE, TURING])
@pytest.mark.parametrize("stepper", STEPPERS)
@pytest.mark.parametrize("state", ["extinct", "saddle", "active"])
def test_steady_states_are_fixed_points(rates: Rates, stepper: str, state: str) -> None:
    u, v = (float(x[0]) for x in getattr(steady_states(rates, r=1.3, u0=0.9), state))
    after = evolve(
        np.full(25, u), np.full(25, v), u0=0.9, r=1.3, rates=rates, steps=5, stepper=stepper
    )
    np.testing.assert_allclose(after.u, u, rtol=1e-12)
    np.testing.assert_allclose(after.v, v, rtol=1e-12, atol=1e-15)


def test_diffusion_alone_is_what_remains_without_reaction() -> None:
    case = Case(4, CHANNELS, 30)
    rates = Rates(D_u=0.3, D_v=0.1, F=0.0, k=0.0)
    after = evolve(case.u, case.v, u0=case.u0, r=0.0, rates=rates, steps=1)
    np.testing.assert_allclose(after.v, diffuse(case.v, 0.1), rtol=1e-14)


def together(case: Case, rates: Rates, dilations: tuple[int, ...]) -> Fields:
    return evolve(
        case.u, case.v, u0=case.u0, r=case.r, rates=rates, steps=6,
        mask=case.mask, edges=case.edges, dilations=dilations,
    )  # fmt: skip


@pytest.mark.parametrize("dilations", DILATIONS)
@given(case=cases(), rates=rates(CHANNELS))
@settings(max_examples=30)
def test_batched_is_single(dilations: tuple[int, ...], case: Case, rates: Rates) -> None:
    batched = together(case, rates, dilations)
    for b in range(len(case.v)):
        single = evolve(
            case.u[b], case.v[b], u0=case.u0[b], r=case.r[b], rates=rates, steps=6,
            mask=case.mask[b], edges=case.edges[b], dilations=dilations,
        )  # fmt: skip
        np.testing.assert_array_equal(single.v, batched.v[b])
        np.testing.assert_array_equal(single.u, batched.u[b])


@pytest.mark.parametrize("dilations", DILATIONS)
@pytest.mark.parametrize("junk", [0.0, 7.0, np.nan, np.inf])
def test_padded_is_unpadded(dilations: tuple[int, ...], junk: float) -> None:
    case, rates = Case(5, CHANNELS, 31), Rates(D_u=0.4, D_v=0.1, F=0.05, k=0.05)
    pad = 13

    def padded(x: np.ndarray, value: float | bool = junk) -> np.ndarray:
        return np.pad(x, [(0, 0), (0, 0), (0, pad)], constant_values=value)

    plain = together(case, rates, dilations)
    after = evolve(
        padded(case.u), padded(case.v), u0=padded(case.u0), r=padded(case.r), rates=rates,
        steps=6, mask=padded(case.mask, False), edges=padded(case.edges, 1.0),
        dilations=dilations,
    )  # fmt: skip
    np.testing.assert_array_equal(after.v[..., :-pad], plain.v)
    np.testing.assert_array_equal(after.u[..., :-pad], plain.u)
    assert (after.v[..., -pad:] == 0).all()


@pytest.mark.parametrize("dilations", DILATIONS)
def test_torch_is_numpy(dilations: tuple[int, ...]) -> None:
    case, rates = Case(6, CHANNELS, 40), Rates(D_u=0.4, D_v=0.1, F=0.05, k=0.05)
    expected = together(case, rates, dilations)
    tensors = Case(6, CHANNELS, 40)
    for name, array in vars(case).items():
        setattr(tensors, name, torch.from_numpy(array))
    after = together(tensors, rates, dilations)
    np.testing.assert_allclose(after.v.numpy(), expected.v, rtol=1e-13)
    np.testing.assert_allclose(after.u.numpy(), expected.u, rtol=1e-13)


def test_gradients_are_finite_differences() -> None:
    case = Case(7, 2, 9)
    inputs = [torch.tensor(x, requires_grad=True) for x in (case.u, case.v + 0.1, case.u0)]
    match = torch.tensor(np.random.default_rng(0).random(case.r.shape) * 2, requires_grad=True)
    numbers = [torch.tensor([0.3, x], dtype=torch.float64, requires_grad=True)
               for x in (0.4, 0.2, 0.05, 0.07, 0.9)]  # fmt: skip
    edges = torch.tensor(case.edges * 0.9 + 0.05, requires_grad=True)

    def run(u, v, u0, r, edges, *numbers):  # type: ignore[no-untyped-def]
        return evolve(
            u, v, u0=u0, r=r, rates=Rates(*numbers), steps=3, edges=edges, dilations=(1, 2)
        )

    assert torch.autograd.gradcheck(run, (*inputs, match, edges, *numbers))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_answer_has_the_dtype_of_v(dtype: type) -> None:
    case = Case(8, 1, 20)
    after = evolve(case.u, (case.v / 10).astype(dtype), u0=1.0, r=1.0, rates=TURING, steps=4)
    assert after.v.dtype == after.u.dtype == dtype
    exact = evolve(case.u, case.v / 10, u0=1.0, r=1.0, rates=TURING, steps=4).v
    np.testing.assert_allclose(after.v, exact, rtol=2e-3, atol=1e-3)


def test_bfloat16_is_computed_in_float32() -> None:
    v = torch.full((1, 20), 0.3, dtype=torch.bfloat16)
    half = evolve(torch.ones(1, 20), v, u0=1.0, r=1.0, rates=TURING, steps=30)
    full = evolve(torch.ones(1, 20), v.float(), u0=1.0, r=1.0, rates=TURING, steps=30)
    assert half.v.dtype == torch.bfloat16
    assert torch.equal(half.v, full.v.bfloat16())


def test_the_trace_holds_every_state() -> None:
    case = Case(9, CHANNELS, 12)
    history = evolve(case.u, case.v, u0=1.0, r=1.0, rates=TURING, steps=5, trace=True)
    assert history.v.shape == (6, 2, CHANNELS, 12)
    np.testing.assert_array_equal(history.v[0], case.v)
    for steps in (1, 5):
        after = evolve(case.u, case.v, u0=1.0, r=1.0, rates=TURING, steps=steps)
        np.testing.assert_array_equal(history.v[steps], after.v)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"D_u": [0.1, 0.9]}, "a_u = D_u dt is 0.9 in channel 1; it must be between 0 and 0.5"),
        ({"D_v": 0.3, "dt": 2.0}, "a_v = D_v dt is 0.6"),
        ({"F": -0.1}, "F is -0.1; it must be finite and >= 0"),
        ({"k": float("nan")}, "k is nan"),
        ({"dt": 0.0}, "dt is 0"),
        ({"F": [0.1, 0.1, 0.1], "k": [0.1, 0.1]}, "F has 3, k has 2"),
        ({"F": [[0.1]]}, "shape"),
    ],
)
def test_impossible_rates_are_refused(wrong: dict, words: str) -> None:
    with pytest.raises(RdmfError) as error:
        Rates(**{"D_u": 0.2, "D_v": 0.1, "F": 0.05, "k": 0.05, **wrong})
    assert words in str(error.value)


def test_rates_may_be_lists() -> None:
    rates = Rates(D_u=[0.2, 0.4], D_v=0.1, F=[0.05, 0.02], k=0.05)
    assert rates.channels == 2
    np.testing.assert_allclose(rates.kappa, [0.1, 0.07])


def test_unknown_steppers_and_negative_steps_are_refused() -> None:
    ones = np.ones(4)
    with pytest.raises(RdmfError, match="patankar, euler"):
        evolve(ones, ones, u0=1.0, r=1.0, rates=TURING, steps=1, stepper="rk4")
    with pytest.raises(RdmfError, match="0 or more"):
        evolve(ones, ones, u0=1.0, r=1.0, rates=TURING, steps=-1)

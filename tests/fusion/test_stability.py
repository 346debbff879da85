"""The analysis predicts what the simulation does."""

from __future__ import annotations

import numpy as np
import pytest
from chains import BISTABLE, PULSES, TURING, cosine, lit_runs

from rdmf_cli.fusion import (
    Rates,
    Regime,
    amplification,
    analyze,
    dispersion,
    eigenvalues,
    evolve,
    gray_scott,
    jacobian,
    react,
    steady_states,
    step_jacobian,
    threshold,
    turing,
    wave_numbers,
)
from rdmf_cli.fusion.reaction import Drive, Fields
from rdmf_cli.fusion.stability import SteadyState

LENGTH = 64


def propagator(rates: Rates, q: int, steps: int, r: float = 1.0) -> np.ndarray:
    """Measure the 2 x 2 matrix of `steps` steps of the scheme for mode q near the active state."""
    lit, mode, small = steady_states(rates, r).active, cosine(q, LENGTH), 1e-6
    columns = []
    for du, dv in ((small, 0.0), (0.0, small)):
        after = evolve(lit.u + du * mode, lit.v + dv * mode, u0=1.0, r=r, rates=rates, steps=steps)
        minus = evolve(lit.u - du * mode, lit.v - dv * mode, u0=1.0, r=r, rates=rates, steps=steps)
        norm = 2.0 * small * (mode @ mode)
        columns.append([(after.u - minus.u) @ mode / norm, (after.v - minus.v) @ mode / norm])
    return np.transpose(columns)


@pytest.mark.parametrize("rates", [TURING, BISTABLE, PULSES])
@pytest.mark.parametrize("q", [0, 1, 5, 16, 30, 63])
def test_a_perturbation_grows_by_the_predicted_factor(rates: Rates, q: int) -> None:
    modes = eigenvalues(wave_numbers(LENGTH))
    measured = np.abs(np.linalg.eigvals(propagator(rates, q, steps=1))).max()
    assert measured == pytest.approx(amplification(rates, modes)[0, q], rel=1e-6)


@pytest.mark.parametrize("rates", [TURING, BISTABLE, PULSES])
@pytest.mark.parametrize("q", [0, 1, 5, 16, 30, 63])
def test_linear_growth_is_the_dispersion_relation(rates: Rates, q: int) -> None:
    """The two agree to 1 % in the limit of small steps, in which the scheme equals the equations.

    The error of the scheme is of first order, so 2 m(dt / 2) - m(dt) is this limit.
    """
    time = 2.0

    def measured(steps: int) -> float:
        small = Rates(D_u=rates.D_u, D_v=rates.D_v, F=rates.F, k=rates.k, dt=time / steps)
        values = np.linalg.eigvals(propagator(small, q, steps))
        return np.log(np.abs(values).max()) / time

    limit = 2.0 * measured(400) - measured(200)
    predicted = dispersion(rates, eigenvalues(wave_numbers(LENGTH)))[0, q]
    assert limit == pytest.approx(predicted, rel=0.01)


def noise_after(rates: Rates, length: int, steps: int) -> np.ndarray:
    """Return the amplitude of every mode of v, after noise of 1e-8 on the active state."""
    lit = steady_states(rates).active
    noise = 1e-8 * np.random.default_rng(0).standard_normal(length)
    v = evolve(
        np.full(length, lit.u[0]), lit.v[0] + noise, u0=1.0, r=1.0, rates=rates, steps=steps
    ).v
    return np.array([abs((v - lit.v[0]) @ cosine(q, length)) for q in range(length)])


def test_a_turing_unstable_channel_grows_the_predicted_wavelength_from_noise() -> None:
    length = 128
    spectrum = noise_after(TURING, length, steps=400)
    report = analyze(TURING, length=length)
    assert report.regime[0] == "turing"
    grown = 2 * length / spectrum.argmax()
    assert spectrum.max() > 1e-5  # from 1e-7
    assert grown == pytest.approx(report.spacing_clips[0], rel=0.1)


def test_a_stable_channel_grows_nothing_from_noise() -> None:
    assert analyze(BISTABLE, length=128).regime[0] == "bistable"
    assert noise_after(BISTABLE, 128, steps=400).max() < 1e-12


def seeded(length: int) -> tuple[np.ndarray, np.ndarray]:
    near = np.abs(np.arange(length) - length // 2) < 6
    return np.where(near, 0.5, 1.0), np.where(near, 0.5, 0.0)


def test_pure_gray_scott_pulses_replicate() -> None:
    u, v = seeded(200)
    runs = [lit_runs(evolve(u, v, u0=1.0, r=1.0, rates=PULSES, steps=n).v) for n in (50, 700, 1500)]
    assert runs[0] == 1
    assert runs[0] < runs[1] < runs[2]


def test_query_fed_pulses_stay() -> None:
    u, v = seeded(200)
    relevant = np.abs(np.arange(200) - 100) < 10
    match = np.where(relevant, 1.2, 0.2)
    for steps in (700, 1500):
        lit = evolve(u, v, u0=1.0, r=match, rates=PULSES, steps=steps).v > 0.1
        assert lit_runs(lit, 0.5) == 1
        assert lit[100]
        assert np.flatnonzero(lit ^ relevant).size <= 4  # a clip or two at each edge


def test_the_threshold_is_a_switch_with_memory() -> None:
    """Uniform fields: below r* v falls to 0; above r*, active fields stay active."""
    r_star = threshold(BISTABLE)[0]

    def after(start: float, r: float) -> float:
        return evolve(
            np.ones(4), np.full(4, start), u0=1.0, r=r, rates=BISTABLE, steps=4000
        ).v.max()

    assert after(0.6, 0.98 * r_star) < 1e-6
    assert after(0.6, 1.05 * r_star) == pytest.approx(
        steady_states(BISTABLE, 1.05 * r_star).active.v[0], rel=1e-6
    )
    assert after(0.01, 1.05 * r_star) < 1e-6


def test_the_threshold_is_where_the_lit_state_begins() -> None:
    rates = Rates(D_u=0.1, D_v=0.1, F=np.geomspace(0.001, 1, 9), k=np.geomspace(1, 0.001, 9))
    for u0 in (0.3, 1.0):
        r_star = threshold(rates, u0)
        assert np.isnan(steady_states(rates, r_star * (1 - 1e-9), u0).active.v).all()
        lit, saddle = steady_states(rates, r_star * (1 + 1e-9), u0)[:0:-1]
        np.testing.assert_allclose(lit.v, saddle.v, rtol=1e-3)


def test_a_strong_match_loses_no_digits() -> None:
    lit = steady_states(BISTABLE, r=1e12).active
    removal = BISTABLE.F + BISTABLE.k
    np.testing.assert_allclose(1e12 * lit.u * lit.v, removal, rtol=1e-14)
    np.testing.assert_allclose(BISTABLE.F * (1 - lit.u), removal * lit.v, rtol=1e-12)


@pytest.mark.parametrize("rates", [TURING, BISTABLE])
def test_jacobians_are_finite_differences(rates: Rates) -> None:
    u, v, r, u0, small = 0.37, 0.41, 1.4, 0.8, 1e-6
    state = SteadyState(np.array([u]), np.array([v]))
    per_step = rates.per_step

    def derivative(run) -> np.ndarray:  # type: ignore[no-untyped-def]
        pairs = [
            (run(u + small, v), run(u - small, v)),
            (run(u, v + small), run(u, v - small)),
        ]
        return np.transpose([np.subtract(a, b) / (2 * small) for a, b in pairs])

    drive = Drive(u0, r)
    equations = derivative(lambda u, v: gray_scott(Fields(u, v), drive, rates.F, rates.F + rates.k))
    scheme = derivative(lambda u, v: react(Fields(u, v), drive, per_step))
    np.testing.assert_allclose(jacobian(rates, state, r)[0], equations, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(step_jacobian(rates, state, r, u0)[0], scheme, rtol=1e-7, atol=1e-9)


def test_turings_conditions_are_those_of_the_dispersion_relation() -> None:
    """Compare the closed form with eigenvalues over a fine range of λ, for a plane of (F, k)."""
    F, k = (
        x.ravel() for x in np.meshgrid(np.linspace(0.005, 0.1, 20), np.linspace(0.03, 0.07, 17))
    )
    plane = Rates(D_u=0.016, D_v=0.001, F=F, k=k)
    conditions = turing(plane)
    growth = dispersion(plane, np.linspace(0, 60, 3001))
    expected = (growth[:, 0] < 0) & (growth.max(1) > 0)
    assert (conditions.unstable == expected).mean() > 0.995  # the rest lie on the boundary
    assert 0.5 < conditions.unstable.mean() < 0.65  # 59 % according to docs/reaction-diffusion.md


def test_the_closed_forms_wave_is_where_the_determinant_is_smallest() -> None:
    J = jacobian(TURING, steady_states(TURING).active)[0]
    modes = np.linspace(0.0, 20.0, 200_001)
    D_u, D_v = float(TURING.D_u), float(TURING.D_v)
    determinant = (J[0, 0] - D_u * modes) * (J[1, 1] - D_v * modes) - J[0, 1] * J[1, 0]
    assert turing(TURING).fastest[0] == pytest.approx(modes[determinant.argmin()], abs=1e-4)


@pytest.mark.parametrize(("ratio", "percent"), [(1, 0), (2, 0.4), (4, 9), (8, 31), (16, 59)])
def test_the_turing_unstable_share_of_gray_scott(ratio: int, percent: float) -> None:
    F, k = np.meshgrid(np.linspace(0.005, 0.1, 96), np.linspace(0.03, 0.07, 81))
    plane = Rates(D_u=0.01, D_v=0.01 / ratio, F=F.ravel(), k=k.ravel())
    assert 100 * turing(plane).unstable.mean() == pytest.approx(percent, abs=0.5)


@pytest.mark.parametrize("length", range(2, 40))
def test_a_pattern_needs_a_mode_that_the_video_can_hold(length: int) -> None:
    growth = amplification(PULSES, eigenvalues(wave_numbers()))[0]
    unstable = wave_numbers()[growth > 1.0]
    own = wave_numbers(length)
    holds = bool(((own > unstable.min()) & (own < unstable.max())).any())
    report = analyze(PULSES, length=length)
    assert report.regime[0] == ("turing" if holds else "bistable")
    assert np.isnan(report.spacing_clips[0]) != holds
    assert report.turing[0]  # the equations' own conditions know no length


def test_some_videos_are_too_short_for_a_pattern() -> None:
    regimes = {analyze(PULSES, length=length).regime[0] for length in range(2, 40)}
    assert regimes == {"turing", "bistable"}


def test_regimes_of_many_channels_at_once() -> None:
    rates = Rates(
        D_u=[0.4, 0.2, 0.2, 0.4, 0.2, 0.2],
        D_v=[0.025, 0.2, 0.2, 0.1, 0.2, 0.2],
        F=[0.06, 0.06, 0.06, 0.04, 0.0, 0.0],
        k=[0.05, 0.03, 0.03, 0.0595, 0.05, 0.0],
    )
    report = analyze(rates, r=np.array([1.0, 1.0, 0.5, 1.0, 1.0, 1.0]))
    assert report.regime.tolist() == [
        "turing", "bistable", "extinct", "oscillatory", "extinct", "undamped"
    ]  # fmt: skip
    assert report.r_star[4] == np.inf


def test_the_report_is_a_table() -> None:
    rates = Rates(D_u=[0.4, 0.2], D_v=[0.025, 0.2], F=0.06, k=[0.05, 0.03])
    rows = analyze(rates, clip_seconds=2.0, length=75).rows()
    assert [row.channel for row in rows] == [0, 1]
    assert list(rows[0].as_row()) == list(Regime.COLUMNS)
    assert rows[0].as_row()["regime"] == "turing"
    assert rows[0].spacing_seconds == 2.0 * rows[0].spacing_clips
    assert np.isnan(rows[1].spacing_seconds)


def test_the_wavelength_of_a_dilated_channel_is_longer() -> None:
    near, far = (analyze(TURING, dilations=(d,)).spacing_clips[0] for d in (1, 4))
    assert far == pytest.approx(4 * near, rel=0.01)

"""Diffusion: exact modes, conserved mass, bounds, and no flux over closed edges."""

from __future__ import annotations

import numpy as np
import pytest
from chains import Case, cases, cosine
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion import (
    diffuse,
    eigenvalues,
    laplacian,
    span_edges,
    wave_numbers,
)

DILATIONS = [(1,), (3,), (1, 2, 4)]


@given(q=st.integers(0, 79), length=st.integers(1, 80), a=st.floats(0.0, 0.5))
def test_each_mode_decays_by_its_exact_eigenvalue(q: int, length: int, a: float) -> None:
    q %= length
    mode = cosine(q, length)
    expected = (1.0 - a * eigenvalues(wave_numbers(length))[q]) * mode
    np.testing.assert_allclose(diffuse(mode, a), expected, atol=1e-13)


@given(q=st.integers(0, 19), dilation=st.integers(1, 5), a=st.floats(0.0, 0.5))
def test_a_dilated_chain_is_interleaved_chains(q: int, dilation: int, a: float) -> None:
    length = 20
    modes = np.repeat(cosine(q, length), dilation)
    expected = (1.0 - a * eigenvalues(wave_numbers(length))[q]) * modes
    np.testing.assert_allclose(diffuse(modes, a, dilations=(dilation,)), expected, atol=1e-13)


def test_weighted_modes_decay_by_the_weighted_chains_eigenvalues() -> None:
    length, a = 30, 0.4
    edges = Case(0, 1, length, batch=1).edges[0, 0]
    matrix = laplacian(np.eye(length), edges=edges)  # symmetric, so its rows are its columns
    np.testing.assert_array_equal(matrix, matrix.T)
    values, modes = np.linalg.eigh(matrix)
    assert values.max() < 1e-12
    expected = (1.0 + a * values[:, None]) * modes.T
    np.testing.assert_allclose(diffuse(modes.T, a, edges=edges), expected, atol=1e-13)


@pytest.mark.parametrize("dilations", DILATIONS)
@given(case=cases(), a=st.floats(0.0, 0.5))
def test_mass_and_bounds_are_kept(dilations: tuple[int, ...], case: Case, a: float) -> None:
    w = np.where(case.mask, case.v, 0.0)
    after = diffuse(w, a, mask=case.mask, edges=case.edges, dilations=dilations)
    np.testing.assert_allclose(after.sum(-1), w.sum(-1), rtol=1e-12)
    rounding = 1e-13 * w.max(-1, initial=1.0)
    assert (after.max(-1) <= w.max(-1) + rounding).all()
    assert (after.min(-1) >= w.min(-1) - rounding).all()


@pytest.mark.parametrize("dilations", DILATIONS)
@given(case=cases())
def test_masked_clips_neither_give_nor_take(dilations: tuple[int, ...], case: Case) -> None:
    poisoned = np.where(case.mask, case.v, np.nan)
    for dilation in dilations:
        bend = laplacian(poisoned, mask=case.mask, dilation=dilation)
        assert np.isfinite(bend).all()
        assert (bend[~np.broadcast_to(case.mask, bend.shape)] == 0).all()
        np.testing.assert_allclose(bend.sum(-1), 0.0, atol=1e-11 * case.v.max())


def test_nothing_crosses_a_cut_at_any_distance() -> None:
    w = np.r_[np.ones(10), np.zeros(10)]
    edges = np.ones(19)
    edges[9] = 0.0
    np.testing.assert_array_equal(diffuse(w, 0.5, edges=edges, dilations=(1, 2, 5)), w)


@given(st.integers(1, 30), st.integers(1, 35), st.integers(0, 99))
def test_a_long_edge_takes_the_weakest_weight_it_crosses(
    length: int, dilation: int, seed: int
) -> None:
    edges = np.random.default_rng(seed).random(length - 1)
    expected = [edges[i : i + dilation].min() for i in range(length - dilation)]
    np.testing.assert_array_equal(span_edges(edges, dilation), expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: laplacian(np.ones(5), edges=np.ones(5)), "5 edge weights for 5 clips"),
        (lambda: diffuse(np.ones(5), 0.1, dilations=(0,)), "dilations"),
    ],
)
def test_errors_say_what_is_wrong(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RdmfError, match=words):
        call()

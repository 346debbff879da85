"""Presence compared with a background of unrelated sentences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.channels.background import LEAST_DEVIATION, Background, strongest


def test_the_strongest_is_a_mean_of_three():
    assert strongest(np.array([0.1, 0.9, 0.2, 0.6, 0.3])) == pytest.approx(0.6)
    assert strongest(np.array([0.4])) == 0.4
    assert strongest(np.zeros(0)) == 0


def test_it_is_taken_sentence_by_sentence():
    similarities = np.array([[0.1, 0.5], [0.1, 0.1], [0.1, 0.3]])  # three clips, two sentences
    background = Background.of(similarities)
    assert background.mean == pytest.approx(0.2)
    assert background.deviation == pytest.approx(0.1)
    assert background.excess(0.5) == pytest.approx(3)


@settings(deadline=None)
@given(st.floats(0.1, 10), st.floats(-1, 1), st.integers(1, 50))
def test_the_scale_of_an_encoder_cancels(scale, shift, clips):
    similarities = np.random.default_rng(clips).normal(size=(clips, 8))
    plain = Background.of(similarities).excess(0.7)
    moved = Background.of(scale * similarities + shift).excess(scale * 0.7 + shift)
    assert moved == pytest.approx(plain)


def test_a_longer_video_of_the_same_kind_reaches_no_further():
    rng = np.random.default_rng(0)
    for clips in (30, 3000):
        background = Background.of(rng.normal(size=(clips, 200)))
        strangers = [
            background.excess(float(strongest(rng.normal(size=clips)))) for _ in range(200)
        ]
        assert abs(np.mean(strangers)) < 0.3


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (4, 3)])
def test_too_little_to_tell_is_no_division_by_zero(shape):
    background = Background.of(np.full(shape, 0.3))
    assert background.deviation >= LEAST_DEVIATION
    assert np.isfinite(background.excess(0.3))

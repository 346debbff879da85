"""Candidates are the connected parts of level sets: compared with a plain search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rdmf_cli.moments import level_sets
from rdmf_cli.moments.pattern import LEVEL_WINDOW

SOME = settings(deadline=None, max_examples=40)
HEIGHTS = st.floats(0, 1, width=32)


def runs_by_hand(v: np.ndarray, mask: np.ndarray, levels: int) -> set[tuple[int, int]]:
    """Find the runs clip by clip, according to the definition."""
    real = v[mask]
    low, high = real.min(), real.max()
    found = {(int(np.flatnonzero(mask)[0]), int(np.flatnonzero(mask)[-1]) + 1)}
    for n in range(1, levels + 1 if high > low else 1):
        height, start = low + (high - low) * (n / (levels + 1)), None
        for clip in range(len(v) + 1):
            lit = clip < len(v) and mask[clip] and v[clip] >= height
            if lit and start is None:
                start = clip
            if not lit and start is not None:
                found.add((start, clip))
                start = None
    return found


@st.composite
def patterns(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 40)))
    pattern = draw(arrays(np.float64, shape, elements=HEIGHTS))
    return pattern, draw(arrays(bool, (shape[0], shape[2])))


@SOME
@given(patterns(), st.integers(1, 9))
def test_they_are_the_runs_of_the_definition(drawn, levels):
    pattern, mask = drawn
    found = level_sets(pattern, mask, levels)
    for row in range(len(pattern)):
        here = found.row == row
        spans = set(zip(found.start[here].tolist(), found.end[here].tolist(), strict=True))
        real = mask[row].any()
        wanted = (runs_by_hand(v, mask[row], levels) for v in pattern[row] if real)
        assert spans == set().union(*wanted)


@SOME
@given(patterns())
def test_edges_lie_within_half_a_clip_of_the_clips(drawn):
    found = level_sets(*drawn)
    assert np.all(np.abs(found.left - found.start) <= 0.5 + 1e-9)
    assert np.all(np.abs(found.right - found.end) <= 0.5 + 1e-9)
    assert np.all(found.left < found.right)
    assert np.all(found.left >= 0)
    assert np.all(found.right <= drawn[1].shape[1])


@SOME
@given(patterns(), st.integers(-20, 20))
def test_the_unit_of_the_pattern_does_not_matter(drawn, power):
    pattern, mask = drawn
    plain, moved = level_sets(pattern, mask), level_sets(pattern * 2.0**power, mask)
    np.testing.assert_array_equal(plain.start, moved.start)
    np.testing.assert_allclose(plain.left, moved.left)


@SOME
@given(patterns())
def test_rows_of_a_batch_do_not_see_each_other(drawn):
    pattern, mask = drawn
    together = level_sets(pattern, mask)
    for row in range(len(pattern)):
        alone = level_sets(pattern[row : row + 1], mask[row : row + 1])
        np.testing.assert_array_equal(together.left[together.row == row], alone.left)
        np.testing.assert_array_equal(together.persistence[together.row == row], alone.persistence)


@SOME
@given(patterns(), st.integers(1, 7))
def test_padding_changes_nothing(drawn, padding):
    pattern, mask = drawn
    wide = np.pad(pattern, ((0, 0), (0, 0), (0, padding)), constant_values=7.0)
    padded = level_sets(wide, np.pad(mask, ((0, 0), (0, padding))))
    plain = level_sets(pattern, mask)
    np.testing.assert_array_equal(padded.start, plain.start)
    np.testing.assert_array_equal(padded.right, plain.right)


def test_a_step_has_its_edges_between_the_clips():
    v = np.zeros((1, 1, 10))
    v[..., 3:6] = 1.0
    found = level_sets(v, np.ones((1, 10), bool), levels=15)
    [step] = np.flatnonzero((found.start == 3) & (found.end == 6))
    assert found.left[step] == pytest.approx(3.0)
    assert found.right[step] == pytest.approx(6.0)
    assert found.persistence[step] == 15


def test_a_half_lit_clip_moves_the_edge_into_it():
    v = np.array([[[0.0, 0.0, 0.5, 1.0, 1.0, 0.0, 0.0]]])
    found = level_sets(v, np.ones((1, 7), bool), levels=16)
    earliest = found.left[(found.end == 5)].min()
    assert 1.5 < earliest < 2.5


def test_persistence_counts_levels_over_channels():
    step = np.r_[0, 0, 1, 1, 0]
    found = level_sets(np.stack([step, step])[None], np.ones((1, 5), bool), levels=4)
    assert found.persistence.tolist() == [
        1,
        8,
    ]  # the whole video at one level, the step at all levels


def test_nothing_comes_of_no_clips():
    assert len(level_sets(np.zeros((1, 2, 0)), np.zeros((1, 0), bool))) == 0
    assert len(level_sets(np.zeros((0, 2, 5)), np.zeros((0, 5), bool))) == 0
    assert len(level_sets(np.ones((1, 2, 5)), np.zeros((1, 5), bool))) == 0


def test_a_small_moment_of_a_long_video_has_levels_of_its_own():
    v = np.zeros(5 * LEVEL_WINDOW)
    v[30:60] = 1.0
    v[400:403] = [0.010, 0.012, 0.010]  # below the lowest of the video's levels
    found = level_sets(v[None, None], np.ones((1, len(v)), bool))
    spans = set(zip(found.start.tolist(), found.end.tolist(), strict=True))
    assert {(30, 60), (400, 403), (401, 402)} <= spans


def test_a_moment_longer_than_a_window_is_one_candidate():
    v = np.zeros(6 * LEVEL_WINDOW)
    v[100 : 100 + 2 * LEVEL_WINDOW] = 1.0
    found = level_sets(v[None, None], np.ones((1, len(v)), bool))
    spans = set(zip(found.start.tolist(), found.end.tolist(), strict=True))
    assert spans == {(0, 6 * LEVEL_WINDOW), (100, 100 + 2 * LEVEL_WINDOW)}


def test_candidates_grow_with_the_video_and_no_faster():
    rng = np.random.default_rng(0)
    count = [
        len(level_sets(rng.random((1, 1, clips)), np.ones((1, clips), bool)))
        for clips in (1000, 8000)
    ]
    assert count[1] < 12 * count[0]


@pytest.mark.parametrize("least", [1, 30, 128, 200])
def test_short_candidates_may_be_left_out(least):
    rng = np.random.default_rng(least)
    pattern = np.cumsum(rng.normal(size=(2, 3, 1500)), axis=2)
    mask = np.arange(1500) < np.array([[1500], [1100]])
    every, some = level_sets(pattern, mask), level_sets(pattern, mask, least=least)
    kept = every.end - every.start >= least
    assert 0 < kept.sum() <= len(every)
    for name in ("row", "start", "end", "left", "right", "persistence"):
        np.testing.assert_array_equal(getattr(some, name), getattr(every, name)[kept])

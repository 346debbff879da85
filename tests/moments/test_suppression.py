"""Overlap and non-maximum suppression."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.moments import Penalty, span_iou, suppress

SPANS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 20), st.integers(1, 20), st.integers(0, 5)),
    max_size=30,
)


def arrays_of(drawn):
    drawn = sorted(drawn, key=lambda d: d[0])
    row = np.array([d[0] for d in drawn], int)
    spans = np.array([(d[1], d[1] + d[2]) for d in drawn], float).reshape(-1, 2)
    return row, spans, np.array([d[3] for d in drawn], float)


@settings(deadline=None)
@given(SPANS, st.floats(0.05, 1), st.integers(0, 12))
def test_what_stays_is_sorted_apart_and_covers_what_went(drawn, overlap, most):
    row, spans, scores = arrays_of(drawn)
    rows, kept, _ = suppress(row, spans, scores, overlap, most)
    np.testing.assert_array_equal(rows, row[kept])
    for video in set(row.tolist()):
        best = kept[rows == video]
        assert len(best) <= most
        assert np.all(np.diff(scores[best]) <= 0)
        pairs = span_iou(spans[best][:, None], spans[best])
        assert np.all(pairs[~np.eye(len(best), dtype=bool)] < overlap)
        if len(best) < most:
            gone = np.setdiff1d(np.flatnonzero(row == video), best)
            covered = span_iou(spans[gone][:, None], spans[best]) >= overlap
            better = scores[best] >= scores[gone][:, None]
            assert np.all((covered & better).any(axis=1))


@settings(deadline=None)
@given(SPANS, st.floats(0, 2), st.integers(1, 5))
def test_redundancy_takes_from_what_repeats(drawn, redundancy, steepness):
    row, spans, scores = arrays_of(drawn)
    rows, kept, left = suppress(row, spans, scores, 0.7, 10, Penalty(redundancy, steepness))
    for video in set(row.tolist()):
        best = kept[rows == video]
        pairs = np.tril(span_iou(spans[best][:, None], spans[best]), -1)
        repeated = pairs.max(axis=1, initial=0)
        lost = redundancy * repeated**steepness
        np.testing.assert_allclose(left[rows == video], scores[best] - lost)
        assert np.all(np.diff(left[rows == video]) <= 1e-12)


def test_a_second_moment_comes_before_a_variant_of_the_first():
    spans, scores = np.array([[0, 10], [0, 6], [20, 30.0]]), np.array([0.9, 0.8, 0.75])
    penalties = Penalty(0), Penalty(0.2)
    order = [suppress(np.zeros(3, int), spans, scores, 0.7, 3, p)[1].tolist() for p in penalties]
    assert order == [[0, 1, 2], [0, 2, 1]]


def test_the_steeper_the_less_a_part_of_a_moment_loses():
    spans, scores = np.array([[0, 10], [0, 5.0]]), np.array([0.9, 0.8])
    penalties = Penalty(0.6, 1), Penalty(0.6, 4)
    left = [suppress(np.zeros(2, int), spans, scores, 0.7, 2, p)[2][1] for p in penalties]
    assert left == pytest.approx([0.8 - 0.6 / 2, 0.8 - 0.6 / 16])


def test_of_equal_scores_the_first_stays():
    spans = np.array([[0, 10], [1, 11], [30, 40.0]])
    _, kept, _ = suppress(np.zeros(3, int), spans, np.ones(3), 0.5, 10)
    assert kept.tolist() == [0, 2]


def test_rows_without_candidates_are_fine():
    rows, kept, _ = suppress(np.array([2, 5]), np.array([[0, 1], [0, 1.0]]), np.ones(2), 0.5, 3)
    assert rows.tolist() == [2, 5]
    assert kept.tolist() == [0, 1]
    rows, kept, _ = suppress(np.zeros(0, int), np.zeros((0, 2)), np.zeros(0), 0.5, 3)
    assert len(rows) == len(kept) == 0


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        ([0, 10], [0, 10], 1.0),
        ([0, 10], [5, 15], 1 / 3),
        ([0, 10], [10, 20], 0.0),
        ([0, 10], [30, 40], 0.0),
        ([0, 10], [2, 4], 0.2),
        ([3, 3], [3, 3], 0.0),
    ],
)
def test_overlap(one, other, iou):
    assert span_iou(np.array(one, float), np.array(other, float)) == pytest.approx(iou)
    assert span_iou(np.array(other, float), np.array(one, float)) == pytest.approx(iou)

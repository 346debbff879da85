"""Charades-STA, TACoS, ActivityNet: R1, R5, mIoU, and 2D-TAN's rules."""

from __future__ import annotations

from fractions import Fraction

import pytest
from brute_force_scores import best_of_first, moments_by_length, percent, suppressed
from hypothesis import given, settings
from hypothesis import strategies as st
from test_qvhighlights_protocol import close

from rdmf_cli.evaluation import grounding
from rdmf_cli.evaluation.overlap import stack, to_grid

span = st.lists(st.integers(0, 40), min_size=2, max_size=2, unique=True).map(sorted)
ranked = st.lists(st.builds(lambda s: [*s, 0.5], span), max_size=9)
queries = st.lists(st.tuples(ranked, span), min_size=1, max_size=6)


def test_four_queries_worked_out_by_hand():
    predicted = [
        [[0, 10, 0.9]],  # exact
        [[0, 10, 0.9], [0, 20, 0.8]],  # 1/2, then exact
        [[50, 60, 0.9]] * 5 + [[0, 10, 0.1]],  # exact, but sixth
        [],
    ]
    truths = [[[0, 10]], [[0, 20]], [[0, 10]], [[0, 10]]]
    groups = grounding.moment_metrics(predicted, truths)
    metrics = groups["full"]
    assert [metrics["MR-R1"][t] for t in ("0.3", "0.5", "0.55", "0.95")] == [50, 50, 25, 25]
    assert [metrics["MR-R5"][t] for t in ("0.3", "0.5", "0.55", "0.95")] == [50, 50, 50, 50]
    assert (groups["short"]["queries"], groups["middle"]["queries"]) == (3, 1)
    assert groups["short"]["MR-mIoU"] == pytest.approx(100 / 3)
    assert groups["middle"]["MR-R5"]["0.95"] == 100
    assert metrics["MR-mIoU"] == pytest.approx(100 * 1.5 / 4)
    assert metrics["MR-mAP"]["0.5"] == pytest.approx(100 * (1 + 1 + 1 / 6) / 4)


def test_of_pairs_that_are_equal_on_paper_the_one_of_the_originals_decides():
    """Two pairs have an IoU of 0.95; UniVTG, lighthouse and CG-DETR count a miss at 0.95."""
    predicted = [[[20.0, 58.0, 0.9], [0.0, 0.95 * 18, 0.8]]]
    truths = [[[0.0, 18.0], [20.0, 60.0]]]
    recall = grounding.moment_metrics(predicted, truths)["full"]["MR-R5"]
    assert (recall["0.9"], recall["0.95"]) == (100, 0)
    alone = grounding.moment_metrics([predicted[0][:1]], truths)["full"]["MR-R5"]
    assert alone["0.95"] == 100


def test_2d_tan_wants_more_than_the_threshold():
    predicted, truths = [[[0, 5, 0.9]]], [[[0, 10]]]
    assert grounding.moment_metrics(predicted, truths)["full"]["MR-R1"]["0.5"] == 100
    assert grounding.legacy_metrics(predicted, truths, nms=0.5)["full"]["MR-R1"]["0.5"] == 0


def test_2d_tan_suppresses_before_it_counts_five():
    crowd = [[0, 10, 0.9], [0, 9, 0.8], [0, 8, 0.7], [1, 10, 0.6], [2, 10, 0.5], [20, 30, 0.4]]
    truths = [[[20, 30]]]
    assert grounding.moment_metrics([crowd], truths)["full"]["MR-R5"]["0.7"] == 0
    assert grounding.legacy_metrics([crowd], truths, nms=0.5)["full"]["MR-R5"]["0.7"] == 100


def test_suppression_keeps_what_overlaps_just_as_much_as_allowed():
    half = [[0, 10, 0.9], [0, 5, 0.8]]
    assert len(kept_by(grounding.greedy_nms(stack([half], 3), 0.5, 5))) == 2
    assert len(kept_by(grounding.greedy_nms(stack([half], 3), 0.49, 5))) == 1


def kept_by(stacked):
    return [row.tolist() for row in stacked[0] if row[0] == row[0]]


@settings(deadline=None, max_examples=80)
@given(queries, st.sampled_from([9, 10]))
def test_both_variants_equal_the_exact_reference(pairs, twentieths):
    predicted, truths = [p for p, _ in pairs], [[t] for _, t in pairs]
    level = Fraction(twentieths, 20)
    close(grounding.moment_metrics(predicted, truths), moments_by_length(predicted, truths))
    legacy = grounding.legacy_metrics(predicted, truths, nms=twentieths / 20)["full"]
    for name, within in (("MR-R1", 1), ("MR-R5", 5)):
        for key, t in {
            "0.3": Fraction(3, 10),
            "0.5": Fraction(1, 2),
            "0.7": Fraction(7, 10),
        }.items():
            strict = [
                best_of_first(suppressed(p, level, 5), t_, within) > t
                for p, t_ in zip(predicted, truths, strict=True)
            ]
            assert legacy[name][key] == pytest.approx(percent(map(Fraction, strict)))


def test_rounding_goes_to_the_nearest_multiple_half_to_even_after_the_clamp():
    windows = stack([[[0.4, 170.0, 0.5], [1.0, 3.0, 0.25]]], 3)
    assert to_grid(windows, 1.0, limit=150).tolist() == [[[0, 150, 0.5], [1, 3, 0.25]]]
    assert to_grid(windows, 2.0).tolist() == [[[0, 170, 0.5], [0, 4, 0.25]]]


@given(st.lists(st.lists(st.floats(0, 200), min_size=2, max_size=2).map(sorted), min_size=1))
def test_rounding_twice_changes_nothing(spans):
    once = to_grid(stack([spans], 2), 2.0, limit=150)
    assert to_grid(once, 2.0, limit=150).tolist() == once.tolist()

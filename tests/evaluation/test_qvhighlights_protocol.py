"""The QVHighlights metrics, by hand and against the brute-force reference."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force_scores import moments_by_length, qvhighlights_highlights
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.evaluation import qvhighlights


def window(longest=60):
    """[start, end] on whole seconds, with a length."""
    edges = st.lists(st.integers(0, longest), min_size=2, max_size=2, unique=True)
    return edges.map(sorted)


scored_window = st.builds(
    lambda span, score: [*span, score], window(), st.sampled_from([0.1, 0.2, 0.5, 0.9])
)
query = st.tuples(st.lists(scored_window, max_size=12), st.lists(window(), min_size=1, max_size=4))
video = st.integers(1, 8).flatmap(
    lambda clips: st.tuples(
        st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5]), min_size=1, max_size=clips + 2),
        st.lists(
            st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=clips, max_size=clips
        ),
    )
)


def close(ours, reference):
    """Equal dicts of dicts of numbers, to rounding."""
    assert ours.keys() == reference.keys()
    for key, value in reference.items():
        if isinstance(value, dict):
            close(ours[key], value)
        elif value is None:
            assert ours[key] is None, key
        else:
            assert ours[key] == pytest.approx(value, abs=1e-9), key


# ------------------------------------------------------------------------- by hand


def test_recall_and_map_of_four_queries_worked_out_by_hand():
    predicted = [
        [[0, 10, 0.9]],  # exactly the true window: AP 1
        [[0, 10, 0.9], [20, 40, 0.8]],  # IoU 0.5 with the first, the second exact
        [[0, 20, 0.2], [50, 60, 0.9]],  # IoU 0.25; by score a miss comes before it
        [],  # nothing predicted
    ]
    truths = [[[0, 10]], [[0, 20], [20, 40]], [[0, 5]], [[10, 20]]]
    metrics = qvhighlights.moment_metrics(predicted, truths)["full"]
    # R1: IoU 1, .5, .25, none.
    assert metrics["MR-R1"]["0.3"] == 50
    assert metrics["MR-R1"]["0.5"] == 50
    assert metrics["MR-R1"]["0.55"] == 25
    assert metrics["MR-R5"]["0.95"] == 50
    assert metrics["MR-mIoU"] == pytest.approx(100 * (1 + 0.5 + 0.25) / 4)
    # AP@.5: 1, 1, 0, 0. AP@.75: 1, (1/2 precision at recall 1/2) = .25, 0, 0.
    assert metrics["MR-mAP"]["0.5"] == 50
    assert metrics["MR-mAP"]["0.75"] == pytest.approx(31.25)
    assert metrics["MR-mAP"]["average"] == pytest.approx((50 + 9 * 31.25) / 10)


def test_precision_is_made_monotone_from_the_right():
    # hit, miss, hit on three windows: precisions 1, 1/2, 2/3; area (1 + 2/3) / 3
    predicted = [[[0, 10, 0.9], [100, 110, 0.8], [20, 30, 0.7]]]
    truths = [[[0, 10], [20, 30], [40, 50]]]
    score = qvhighlights.mean_average_precision(predicted, truths)["0.5"]
    assert score == pytest.approx(100 * (1 + 2 / 3) / 3)


def test_a_true_window_is_found_once():
    # The second prediction overlaps nothing that is still free at .5: a false positive.
    predicted = [[[0, 10, 0.9], [0, 9, 0.8], [20, 30, 0.7]]]
    truths = [[[0, 10], [20, 30]]]
    score = qvhighlights.mean_average_precision(predicted, truths)["0.5"]
    assert score == pytest.approx(100 * (1 + 2 / 3) / 2)


def test_only_ten_predictions_count_and_they_are_taken_before_sorting():
    misses = [[100 + k, 101 + k, 0.1] for k in range(10)]
    truths = [[[0, 10]]]
    late = [[*misses, [0, 10, 0.9]]]  # the best score, but eleventh in the list
    assert qvhighlights.mean_average_precision(late, truths)["0.5"] == 0
    tenth = [[*misses[:9], [0, 10, 0.9]]]
    assert qvhighlights.mean_average_precision(tenth, truths)["0.5"] == 100
    assert qvhighlights.recall_at_one(tenth, truths)["0.5"] == 0  # list order, not score


def test_a_length_group_keeps_only_windows_of_that_length():
    truths = [[[0, 10], [20, 50]], [[0, 31]]]  # 10 s is short, 30 s middle, 31 s long
    predicted = [[[20, 50, 0.9]], [[0, 31, 0.9]]]
    metrics = qvhighlights.moment_metrics(predicted, truths)
    assert {name: metrics[name]["queries"] for name in metrics} == {
        "full": 2,
        "short": 1,
        "middle": 1,
        "long": 1,
    }
    assert metrics["short"]["MR-R1"]["0.5"] == 0
    assert metrics["middle"]["MR-mAP"]["average"] == 100


def test_a_window_longer_than_those_of_qvhighlights_is_long():
    metrics = qvhighlights.moment_metrics([[[0, 400, 1.0]]], [[[0, 400]]])
    assert metrics["long"]["MR-R1"]["0.95"] == 100


def test_a_group_without_queries_has_no_number():
    metrics = qvhighlights.moment_metrics([[[0, 4, 1.0]]], [[[0, 4]]])
    assert metrics["long"]["queries"] == 0
    assert metrics["long"]["MR-mAP"]["average"] is None
    assert qvhighlights.brief(metrics)["MR-long-mAP"] is None


def test_windows_without_length_are_never_a_hit():
    metrics = qvhighlights.moment_metrics([[[5, 5, 0.9]], [[5, 5, 0.9]]], [[[0, 10]], [[5, 5]]])
    assert metrics["full"]["MR-R1"]["0.3"] == 0
    assert metrics["full"]["MR-mAP"]["average"] == 0


def test_highlights_worked_out_by_hand():
    marks = [np.array([[4, 4, 0], [4, 0, 0], [0, 0, 0], [2, 3, 4]])]
    saliency = [[0.1, 0.9, 0.5, 0.7]]  # clips 1, 3, 2, 0
    metrics = qvhighlights.highlight_metrics(saliency, marks)
    assert metrics["HL-min-VeryGood"]["HL-Hit1"] == 100
    # annotator 1: clips 0, 1 -> ranks 4, 1: (1 + 1/2) / 2; 2: clip 0 -> 1/4; 3: clip 3 -> 1/2
    assert metrics["HL-min-VeryGood"]["HL-mAP"] == pytest.approx(100 * (0.75 + 0.25 + 0.5) / 3)
    # at Fair annotator 1 also marks clip 3: ranks 1, 2, 4 -> (1 + 1 + 3/4) / 3;
    # annotator 2 marks 0, 3: ranks 2, 4 -> (1/2 + 1/2) / 2
    fair = (1 + 1 + 0.75) / 3 + 0.5 + 0.5
    assert metrics["HL-min-Fair"]["HL-mAP"] == pytest.approx(100 * fair / 3)


def test_equal_scores_enter_together_and_the_first_of_them_is_the_hit():
    marks = [np.array([[0, 0, 0], [4, 4, 4], [0, 0, 0]])]
    metrics = qvhighlights.highlight_metrics([[0.5, 0.5, 0.1]], marks)["HL-min-VeryGood"]
    assert metrics == {"HL-mAP": pytest.approx(50), "HL-Hit1": 0}


def test_missing_scores_count_as_zero_and_surplus_ones_are_cut_for_map_but_not_for_hit():
    marks = [np.array([[0, 0, 0], [4, 4, 4]])]
    assert qvhighlights.highlight_map([[-0.5]], marks, 4) == 100  # 0 beats -0.5
    assert qvhighlights.highlight_map([[0.1, 0.9, 5.0]], marks, 4) == 100
    assert qvhighlights.hit_at_one([[0.1, 0.9, 5.0]], marks, 4) == 0


def test_no_highlight_is_zero_and_nothing_but_highlights_is_one():
    none, everything = np.zeros((3, 3)), np.full((3, 3), 4.0)
    assert qvhighlights.highlight_map([[0.1, 0.2, 0.3]], [none], 2) == 0
    assert qvhighlights.highlight_map([[0.1, 0.2, 0.3]], [everything], 2) == 100


def test_relevance_guards_a_clip_past_the_last_one():
    marks = qvhighlights.relevance(5.0, [0, 2], [[1, 2, 3], [4, 4, 4]])
    np.testing.assert_array_equal(marks, [[1, 2, 3], [0, 0, 0]])


# ------------------------------------------------------------- against the reference


@settings(deadline=None, max_examples=80)
@given(st.lists(query, min_size=1, max_size=6))
def test_moment_metrics_equal_the_exact_reference(queries):
    predicted, truths = map(list, zip(*queries, strict=True))
    close(qvhighlights.moment_metrics(predicted, truths), moments_by_length(predicted, truths))


@settings(deadline=None, max_examples=80)
@given(st.lists(video, min_size=1, max_size=5))
def test_highlight_metrics_equal_the_exact_reference(videos):
    saliency, marks = map(list, zip(*videos, strict=True))
    ours = qvhighlights.highlight_metrics(saliency, [np.array(m, dtype=float) for m in marks])
    close(ours, qvhighlights_highlights(saliency, marks))


@settings(deadline=None, max_examples=30)
@given(st.lists(query, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_queries_does_not_matter(queries, random):
    shuffled = random.sample(queries, len(queries))
    scores = [
        qvhighlights.moment_metrics(*map(list, zip(*rows, strict=True)))
        for rows in (queries, shuffled)
    ]
    close(*scores)


@settings(deadline=None, max_examples=30)
@given(st.lists(window(), min_size=1, max_size=5, unique_by=tuple))
def test_predicting_the_truth_scores_a_hundred(truths):
    predicted = [[*span, 1.0] for span in truths]
    metrics = qvhighlights.moment_metrics([predicted], [truths])["full"]
    assert metrics["MR-mAP"]["average"] == pytest.approx(100)
    assert metrics["MR-mIoU"] == 100

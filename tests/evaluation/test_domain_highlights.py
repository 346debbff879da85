"""TVSum and YouTube Highlights."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from brute_force_scores import trapezoids, tvsum_video
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.evaluation import domains

marks = st.integers(1, 9).flatmap(
    lambda clips: st.tuples(
        st.lists(st.floats(-1, 1, width=16), min_size=clips, max_size=clips),
        st.lists(
            st.lists(st.integers(1, 5), min_size=20, max_size=20), min_size=clips, max_size=clips
        ),
    )
)


def test_the_trapezoid_worked_out_by_hand():
    # hit, miss, hit: (recall, precision) (0, 1), (1/2, 1), (1/2, 1/2), (1, 2/3)
    assert domains.trapezoid_ap(np.array([1, 0, 1])) == pytest.approx(0.5 + (0.5 + 2 / 3) / 4)
    assert domains.trapezoid_ap(np.array([0, 0])) == 0


def test_tvsum_takes_the_lower_median_and_the_first_five():
    labels = np.array([[1], [2], [3], [4], [5], [5], [5], [5]])  # lower median of 8: the 4th, 4
    saliency = np.array([8, 7, 6, 5, 4, 3, 2, 1])  # the clips in order: 0 0 0 0 1
    assert domains.tvsum_ap(saliency, labels).in_list_order == pytest.approx((0 + 1 / 5) / 2)
    assert domains.tvsum_ap(saliency[::-1], labels) == (1, 1, 1)  # nothing ties


def test_tvsum_without_a_positive_among_five_is_zero():
    labels = np.array([[1], [1], [1], [1], [1], [5]])
    assert domains.tvsum_ap(np.array([6, 5, 4, 3, 2, 1]), labels) == (0, 0, 0)


def test_youtube_counts_every_clip():
    labels = np.array([[0], [0], [1], [1]])
    # miss, miss, hit, hit: precisions 0, 0, 1/3, 1/2
    assert domains.youtube_ap(np.array([4, 3, 2, 1]), labels).in_list_order == pytest.approx(
        0.5 * (0 + 1 / 3) / 2 + 0.5 * (1 / 3 + 1 / 2) / 2
    )


def test_clips_without_a_score_come_last():
    labels = np.array([[1], [0]])
    assert domains.youtube_ap(np.array([-3.0]), labels) == (1, 1, 1)
    assert domains.youtube_ap(np.array([0.1, 0.5, 9.0]), labels).greatest == pytest.approx(0.25)


def test_domains_count_alike_whatever_their_size():
    good, bad = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    labels = [np.array([[1], [0]])] * 3
    metrics = domains.domain_metrics(
        [good, good, bad], labels, ["dog", "dog", "surfing"], domains.youtube_ap
    )
    assert metrics["domains"]["dog"] == {"HL-mAP": 100, "videos": 2}
    assert metrics["domains"]["surfing"]["HL-mAP"] == pytest.approx(25)
    assert metrics["HL-mAP"] == pytest.approx(62.5)
    assert domains.brief(metrics)["HL-mAP-dog"] == 100
    assert domains.ties(metrics) == {}


def orders_of_ties(saliency):
    """Yield every ranking by descending score, as scores without ties, one list per ranking."""
    clips = range(len(saliency))
    for order in permutations(clips):
        if all(saliency[a] >= saliency[b] for a, b in pairwise(order)):
            scores = np.empty(len(saliency))
            scores[list(order)] = -np.arange(len(saliency))
            yield scores


tied = st.integers(2, 7).flatmap(
    lambda clips: st.tuples(
        st.lists(st.integers(0, 2), min_size=clips, max_size=clips),
        st.lists(
            st.lists(st.integers(1, 3), min_size=4, max_size=4), min_size=clips, max_size=clips
        ),
    )
)


@settings(deadline=None, max_examples=40)
@given(tied)
def test_tvsum_tells_what_the_orders_of_ties_allow(video):
    saliency, labels = np.array(video[0], float), np.array(video[1], float)
    every = [domains.tvsum_ap(order, labels).in_list_order for order in orders_of_ties(saliency)]
    ours = domains.tvsum_ap(saliency, labels)
    assert (ours.least, ours.greatest) == pytest.approx((min(every), max(every)))
    assert ours.least - 1e-9 <= ours.in_list_order <= ours.greatest + 1e-9


@settings(deadline=None, max_examples=40)
@given(tied)
def test_youtube_tells_what_the_orders_of_ties_allow(video):
    saliency, labels = np.array(video[0], float), np.array(video[1], float)[:, :1] - 1
    every = [domains.youtube_ap(order, labels).in_list_order for order in orders_of_ties(saliency)]
    ours = domains.youtube_ap(saliency, labels)
    assert (ours.least, ours.greatest) == pytest.approx((min(every), max(every)))


def test_a_long_video_whose_scores_all_tie_is_searched_whole():
    """300 clips have about 2 ** 41 orders of five clips; there are twenty annotators."""
    rng = np.random.default_rng(0)
    labels = rng.normal(size=(300, 1)) + rng.normal(size=(300, 20))
    ours = domains.tvsum_ap(np.zeros(300), np.round(labels))
    by_random = [
        domains.tvsum_ap(rng.permutation(300).astype(float), np.round(labels)).in_list_order
        for _ in range(500)
    ]
    assert ours.least < min(by_random)
    assert ours.greatest > max(by_random)


@settings(deadline=None, max_examples=60)
@given(marks)
def test_tvsum_equals_the_exact_reference(video):
    saliency, labels = video
    ours = domains.tvsum_ap(np.array(saliency), np.array(labels))
    assert ours.in_list_order == pytest.approx(float(tvsum_video(saliency, labels)))


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_the_trapezoid_equals_the_exact_reference(labels):
    assert domains.trapezoid_ap(np.array(labels)) == pytest.approx(float(trapezoids(labels)))

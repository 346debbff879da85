"""TVSum and YouTube Highlights."""

from __future__ import annotations

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
    assert domains.tvsum_ap(saliency, labels) == pytest.approx((0 + 1 / 5) / 2)
    assert domains.tvsum_ap(saliency[::-1], labels) == 1


def test_tvsum_without_a_positive_among_five_is_zero():
    labels = np.array([[1], [1], [1], [1], [1], [5]])
    assert domains.tvsum_ap(np.array([6, 5, 4, 3, 2, 1]), labels) == 0


def test_youtube_counts_every_clip():
    labels = np.array([[0], [0], [1], [1]])
    # miss, miss, hit, hit: precisions 0, 0, 1/3, 1/2
    assert domains.youtube_ap(np.array([4, 3, 2, 1]), labels) == pytest.approx(
        0.5 * (0 + 1 / 3) / 2 + 0.5 * (1 / 3 + 1 / 2) / 2
    )


def test_clips_without_a_score_come_last():
    labels = np.array([[1], [0]])
    assert domains.youtube_ap(np.array([-3.0]), labels) == 1
    assert domains.youtube_ap(np.array([0.1, 0.5, 9.0]), labels) == pytest.approx(0.25)


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


@settings(deadline=None, max_examples=60)
@given(marks)
def test_tvsum_equals_the_exact_reference(video):
    saliency, labels = video
    ours = domains.tvsum_ap(np.array(saliency), np.array(labels))
    assert ours == pytest.approx(float(tvsum_video(saliency, labels)))


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_the_trapezoid_equals_the_exact_reference(labels):
    assert domains.trapezoid_ap(np.array(labels)) == pytest.approx(float(trapezoids(labels)))

"""From the outputs of the network to an answer."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_batches import small

from rdmf_cli.heads.learned.reading import Outputs, logistic, reading

RNG = np.random.default_rng(3)
CLIPS = 20
PATTERN = RNG.normal(size=(4, CLIPS))
SALIENCY = RNG.normal(size=CLIPS) + 7
SPANS = np.array([[2.0, 6.0], [2.2, 6.1], [10.0, 14.5], [11.0, 20.0], [3.0, 5.0]])
SCORES = np.array([1.0, 2.0, 0.5, -1.0, 1.5])


def read(top_k=10, duration=None, overlap=0.7, **changes):
    return reading(
        Outputs(PATTERN, SALIENCY, 0.3, SPANS, SCORES),
        small(**changes),
        clip_length=2.0,
        duration=duration,
        top_k=top_k,
        overlap=overlap,
    )


def test_moments_are_in_seconds_best_first_and_repetitions_are_gone():
    found = read(redundancy=0.0)
    assert found.spans.tolist() == [[4.4, 12.2], [6.0, 10.0], [20.0, 29.0], [22.0, 40.0]]
    assert found.raw_scores == pytest.approx(logistic(np.array([2.0, 1.5, 0.5, -1.0])))
    assert (found.scores == found.raw_scores).all()


def test_overlap_says_what_a_repetition_is():
    assert len(read(overlap=1.0).spans) == 5
    assert len(read(overlap=0.05).spans) == 2


def test_what_overlaps_a_better_one_loses_by_its_overlap():
    found = read(redundancy=0.4)
    best, inner = found.raw_scores[0], found.raw_scores[found.spans[:, 0] == 6.0][0]
    assert best == pytest.approx(logistic(2.0))
    assert inner == pytest.approx(logistic(1.5) - 0.4 * (2.0 / 3.9) ** 4)
    assert (np.diff(found.raw_scores) <= 0).all()


def test_top_k_and_the_end_of_the_video():
    found = read(top_k=2, duration=11.0)
    assert len(found.spans) == 2
    assert found.spans.max() == 11.0


def test_saliency_keeps_its_order_at_the_patterns_level():
    found = read()
    assert (found.saliency.argsort() == SALIENCY.argsort()).all()
    assert found.saliency_raw.mean() == pytest.approx(PATTERN[0].mean())
    assert found.saliency == pytest.approx(logistic(found.saliency_raw))


def test_the_pattern_is_what_the_curves_say():
    found = read()
    assert found.v == pytest.approx(1 / (1 + np.exp(-PATTERN)))
    assert found.u + found.v == pytest.approx(1.0)
    assert found.presence == pytest.approx(1 / (1 + np.exp(-0.3)))

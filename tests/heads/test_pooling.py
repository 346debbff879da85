"""The pooling inside and around a span: exact means, symmetric in time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.heads.learned.torch.pooling import (
    BINS_AROUND,
    LEAST_MARGIN,
    LEAST_WIDTH,
    MARGIN,
    SOFTENING,
    bin_edges,
    last_clip,
    pool,
)

BINS = 4


@st.composite
def videos(draw):
    """Features (L, 3), mask (L,) with a real first part and holes, spans (K, 2)."""
    clips, real = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    mask = (np.arange(clips) < real) & (rng.uniform(size=clips) < 0.9)
    mask[0] = True
    ends = rng.uniform(-3, clips + 3, size=(5, 2))
    spans = np.sort(np.clip(ends, 0, clips), axis=1)
    return rng.normal(size=(clips, 3)), mask, spans


def mean_over(features, mask, first, last):
    """Compute, clip by clip, the softened mean, and the share of the video in it."""
    total, clips = np.zeros(features.shape[1]), 0.0
    for i, row in enumerate(features):
        common = max(min(last, i + 1) - max(first, i), 0.0) * mask[i]
        total, clips = total + common * row, clips + common
    return total / (clips + SOFTENING), clips


def pooled(features, mask, spans):
    arrays = (features.astype(np.float32), mask, spans.astype(np.float32))
    means, seen = pool(*(torch.from_numpy(x)[None] for x in arrays), bins=BINS)
    return means[0].numpy(), seen[0].numpy()


@given(videos())
def test_means_are_those_of_going_through_the_clips(video):
    features, mask, spans = video
    means, seen = pooled(*video)
    assert means.shape == (len(spans), BINS + BINS_AROUND, features.shape[1])
    edges = bin_edges(torch.from_numpy(spans)[None], BINS)[0].numpy()
    for k in range(len(spans)):
        for b, (first, last) in enumerate(zip(edges[k][:-1], edges[k][1:], strict=True)):
            mean, clips = mean_over(features, mask, first, last)
            np.testing.assert_allclose(means[k, b], mean, atol=2e-4)
            if abs(clips - 0.01) > 1e-4:
                assert seen[k, b] == (clips > 0.01)


@given(videos())
def test_a_video_that_runs_backwards_is_pooled_backwards(video):
    features, _, spans = video
    mask = np.ones(len(features), dtype=bool)
    wide = spans[:, 1] - spans[:, 0] >= LEAST_WIDTH
    spans = spans[wide]
    means, seen = pooled(features, mask, spans)
    back, seen_back = pooled(features[::-1].copy(), mask, len(features) - spans[:, ::-1])
    np.testing.assert_allclose(back, means[:, ::-1], atol=2e-4)
    np.testing.assert_array_equal(seen_back, seen[:, ::-1])


def test_bins_divide_the_span_and_two_lie_on_each_side():
    edges = bin_edges(torch.tensor([[[10.0, 18.0], [5.0, 5.2]]]), BINS)[0]
    around = 8 * MARGIN
    assert edges[0].tolist() == [10 - around, 10 - around / 2, 10, 12, 14, 16, 18, 20, 22]
    narrow = edges[1]
    assert narrow[2 + BINS] - narrow[2] == pytest.approx(LEAST_WIDTH)
    assert narrow[2] - narrow[0] == pytest.approx(LEAST_MARGIN)


def test_the_last_clip_is_the_last_real_one():
    mask = torch.tensor([[True, False, True, False], [True, True, True, True]])
    assert last_clip(mask).tolist() == [3.0, 4.0]


def test_far_into_a_long_video_means_stay_exact():
    features = np.full((20_000, 1), 0.7)
    means, _ = pooled(features, np.ones(20_000, dtype=bool), np.array([[19_000.3, 19_008.3]]))
    np.testing.assert_allclose(means, 0.7 * 2 / (2 + SOFTENING), rtol=2e-3)

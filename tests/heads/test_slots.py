"""Slots begin at the level sets of the pattern."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.heads.learned.slots import pattern_slots
from rdmf_cli.moments.pattern import level_sets

LEVELS = 6


@st.composite
def patterns(draw):
    """(B, C, L) in [0, 1] with a mask of different lengths."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows, clips = draw(st.integers(1, 3)), draw(st.integers(2, 40))
    lengths = rng.integers(1, clips + 1, size=rows)
    pattern = rng.uniform(size=(rows, 2, clips)).astype(np.float32)
    return pattern, np.arange(clips) < lengths[:, None]


def parts(above):
    """[start, end) of every run of True."""
    turns = np.flatnonzero(np.diff(above, prepend=False, append=False))
    return turns.reshape(-1, 2)


@given(patterns())
def test_every_part_of_a_level_set_is_a_slot(drawn):
    pattern, mask = drawn
    slots = pattern_slots(pattern, mask, LEVELS, most=10_000)
    for row, clips in enumerate(mask.sum(1)):
        spans = slots.spans[row][slots.mask[row]]
        for curve in pattern[row, :, :clips]:
            low, high = curve.min(), curve.max()
            for level in range(1, LEVELS + 1):
                height = low + (high - low) * level / (LEVELS + 1)
                if min(abs(curve - height)) < 1e-5 or high == low:
                    continue  # the result depends on rounding
                for part in parts(curve >= height):
                    assert (abs(spans - part) <= 0.5 + 1e-4).all(axis=1).any()


@given(patterns(), st.integers(1, 12))
def test_of_many_the_most_persistent_stay_in_times_order(drawn, most):
    pattern, mask = drawn
    every = level_sets(np.where(mask[:, None], pattern, 0.0), mask, LEVELS)
    slots = pattern_slots(pattern, mask, LEVELS, most)
    for row in range(len(mask)):
        here = every.row == row
        best = np.sort(every.persistence[here])[::-1][:most]
        spans = slots.spans[row][slots.mask[row]]
        assert len(spans) == len(best)
        edges = np.stack([every.left[here], every.right[here]], axis=1)
        places = [int(abs(edges - span).sum(axis=1).argmin()) for span in spans]
        assert sorted(every.persistence[here][places])[::-1] == list(best)
        assert places == sorted(places)


@given(patterns())
def test_slots_lie_within_the_video_and_what_is_not_real_has_a_length(drawn):
    pattern, mask = drawn
    spans, real = pattern_slots(pattern, mask, LEVELS, most=8)
    assert spans.dtype == np.float32
    assert (spans[..., 0] < spans[..., 1]).all()
    assert real.any(axis=1).all()
    ends = mask.sum(1)[:, None]
    assert (spans[..., 1] * real <= ends + 1e-6).all()
    assert (spans[..., 0] >= 0).all()


def test_without_a_pattern_the_whole_video_is_a_slot():
    spans, real = pattern_slots(np.full((1, 4, 9), 0.5), np.ones((1, 9), bool), LEVELS, most=8)
    assert spans[real].tolist() == [[0.0, 9.0]]

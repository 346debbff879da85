"""The training-free head as `rdmf query` uses it, with the shipped rates."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.similarity import coherence, coherence_of_best, standardise
from rdmf_cli.errors import RdmfError
from rdmf_cli.heads.training_free.head import SimilarityCurve, TrainingFree
from rdmf_cli.moments import span_iou
from rdmf_cli.moments.reading import Reading

CLIP = 2.0
SOME = settings(deadline=None, max_examples=40)
COSINES = st.floats(-1, 1, width=32)


def read(head: TrainingFree, *curve, background=None, trace=False, **rest) -> Reading:
    return head.read_similarity(SimilarityCurve(*curve, **rest), background=background, trace=trace)


@pytest.fixture(scope="module")
def head() -> TrainingFree:
    return TrainingFree.load()


def noisy(clips: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Similarity to a query that is not shown, and visual change, of an ordinary video."""
    rng = np.random.default_rng(seed)
    return 0.2 + 0.02 * rng.normal(size=clips), rng.uniform(0.1, 0.3, clips - 1)


def shown(clips: int, *moments: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The same, but with the query shown in some spans of clips, in separate shots."""
    similarity, change = noisy(clips, seed)
    for start, end in moments:
        similarity[start:end] += 0.1
        for cut in {start, end} - {0, clips}:
            change[cut - 1] = 0.7
    return similarity, change


def iou(reading: Reading, start: float, end: float) -> np.ndarray:
    return span_iou(reading.spans, np.array([start, end]) * CLIP)


@st.composite
def videos(draw: st.DrawFn):
    clips = draw(st.integers(0, 60))
    similarity = draw(arrays(np.float64, clips, elements=COSINES))
    change = draw(arrays(np.float64, max(clips - 1, 0), elements=st.floats(0, 2, width=32)))
    mask = draw(st.none() | arrays(bool, clips))
    return similarity, draw(st.none() | st.just(change)), mask


@SOME
@given(videos(), st.sampled_from([0.5, 1.0, 2.0, 10.0]), st.floats(0.1, 1))
def test_every_reading_keeps_its_promises(head, video, clip_length, share):
    similarity, change, mask = video
    duration = max(len(similarity), 1) * clip_length * share
    r = read(head, similarity, change, clip_length=clip_length, duration=duration, mask=mask)
    real = np.ones(len(similarity), bool) if mask is None else mask
    assert len(r.spans) == len(r.scores) == len(r.raw_scores) <= 10
    assert (len(r.spans) > 0) == real.any()
    assert np.all((r.spans >= 0) & (r.spans <= duration))
    assert np.all(r.spans[:, 0] <= r.spans[:, 1])
    assert np.all(np.diff(r.raw_scores) <= 0)
    assert np.all((r.scores >= 0) & (r.scores <= 1))
    assert r.saliency.shape == r.saliency_raw.shape == similarity.shape
    assert np.all((r.saliency >= 0) & (r.saliency <= 1))
    assert np.all(r.saliency[~real] == 0)
    assert 0 <= r.presence <= 1
    assert r.u.shape == r.v.shape == (head.rates.fusion.channels, len(similarity))
    assert np.all((r.u >= 0) & (r.u <= 1) & (r.v >= 0))


@SOME
@given(videos())
def test_moments_are_apart(head, video):
    similarity, change, mask = video
    r = read(head, similarity, change, clip_length=CLIP, mask=mask)
    pairs = span_iou(r.spans[:, None], r.spans)[~np.eye(len(r.spans), dtype=bool)]
    assert np.all(pairs < head.rates.ranking.overlap)


@SOME
@given(st.integers(5, 60), st.floats(0.5, 20), st.floats(-0.5, 0.5), st.floats(0.1, 20))
def test_the_units_of_similarity_and_change_do_not_matter(head, clips, scale, shift, unit):
    similarity, change = noisy(clips, seed=clips)
    plain = read(head, similarity, change, clip_length=CLIP)
    moved = read(head, scale * similarity + shift, unit * change, clip_length=CLIP)
    np.testing.assert_allclose(plain.spans, moved.spans, atol=1e-6)
    np.testing.assert_allclose(plain.raw_scores, moved.raw_scores, atol=1e-6)
    np.testing.assert_allclose(plain.saliency_raw, moved.saliency_raw, atol=1e-6)
    assert plain.presence == pytest.approx(moved.presence)


def test_masked_clips_and_clips_without_a_similarity_say_nothing(head):
    similarity, change = shown(40, (10, 16))
    gone = np.zeros(40, bool)
    gone[[3, 25, 39]] = True
    masked = read(head, np.where(gone, 9.0, similarity), change, clip_length=CLIP, mask=~gone)
    nameless = read(head, np.where(gone, np.nan, similarity), change, clip_length=CLIP)
    for field in ("spans", "raw_scores", "saliency", "v"):
        np.testing.assert_array_equal(getattr(masked, field), getattr(nameless, field))


def test_the_same_question_has_the_same_answer(head):
    one, two = (read(head, *shown(75, (20, 30)), clip_length=CLIP) for _ in range(2))
    assert one.spans.tobytes() == two.spans.tobytes()
    assert one.saliency_raw.tobytes() == two.saliency_raw.tobytes()


# --------------------------------------------------------------------- what it finds


@pytest.mark.parametrize(("start", "end"), [(0, 6), (10, 14), (20, 32), (31, 40)])
def test_a_bump_is_found_to_a_clip(head, start, end):
    reading = read(head, *shown(40, (start, end)), clip_length=CLIP)
    assert np.abs(reading.spans[0] - np.array([start, end]) * CLIP).max() <= CLIP
    assert start <= int(reading.saliency.argmax()) < end


def test_two_bumps_are_two_moments(head):
    reading = read(head, *shown(60, (8, 15), (40, 48)), clip_length=CLIP)
    first = reading.spans[:4]
    assert span_iou(first, np.array([8, 15]) * CLIP).max() > 0.7
    assert span_iou(first, np.array([40, 48]) * CLIP).max() > 0.7


def test_a_moment_may_be_the_whole_video(head):
    reading = read(head, np.full(12, 0.3), clip_length=CLIP)
    np.testing.assert_array_equal(reading.spans, [[0.0, 24.0]])


def test_a_bump_is_lit_and_noise_is_not(head):
    similarity, change = shown(60, (20, 28))
    v = read(head, similarity, change, clip_length=CLIP).v
    inside = np.zeros(60, bool)
    inside[20:28] = True
    # the margin between noise and peak: in v, and in the similarity itself
    spread = (similarity[inside].mean() - similarity[~inside].mean()) / similarity[~inside].std()
    lit = (v[:, inside].mean(1) - v[:, ~inside].mean(1)) / v[:, ~inside].std(1)
    assert lit.max() > spread


def test_one_freak_clip_does_not_beat_a_moment(head):
    similarity, change = shown(60, (20, 30))
    similarity[45] += 0.15
    reading = read(head, similarity, change, clip_length=CLIP)
    assert iou(reading, 20, 30)[0] > 0.6


def test_a_short_gap_is_bridged(head):
    similarity, change = shown(60, (20, 30))
    similarity[25] = 0.2
    reading = read(head, similarity, change, clip_length=CLIP)
    assert iou(reading, 20, 30)[0] > 0.7


def test_scores_rise_with_contrast(head):
    rng = np.random.default_rng(1)
    noise = 0.02 * rng.normal(size=60)
    bump = np.zeros(60)
    bump[20:30] = 0.02
    weak = read(head, noise + bump, clip_length=CLIP)
    strong = read(head, noise + 5 * bump, clip_length=CLIP)
    assert strong.scores[0] > weak.scores[0]


# ---------------------------------------------------------------------- is it there?


def test_a_flat_curve_means_the_query_is_not_shown(head):
    flat = read(head, np.full(40, 0.25), clip_length=CLIP)
    found = read(head, *shown(40, (10, 20)), clip_length=CLIP)
    assert flat.presence < 0.3 < 0.6 < found.presence


def test_a_background_makes_presence_absolute(head):
    rng = np.random.default_rng(0)
    background = Background.of(0.2 + 0.02 * rng.normal(size=(40, 32)))
    there = read(head, *shown(40, (10, 20)), clip_length=CLIP, background=background)
    similarity, change = shown(40, (10, 20))
    elsewhere = read(head, similarity - 0.1, change, clip_length=CLIP, background=background)
    np.testing.assert_array_equal(there.spans, elsewhere.spans)
    assert there.presence > 0.9
    assert elsewhere.presence < 0.2


# ------------------------------------------------------------------------ odd input


@pytest.mark.parametrize("clips", [1, 2, 3])
def test_a_video_of_a_clip_or_three(head, clips):
    reading = read(head, np.linspace(0.2, 0.3, clips), np.full(clips - 1, 0.3), clip_length=CLIP)
    assert reading.spans[:, 1].max() == clips * CLIP


def test_nothing_is_found_in_no_clips(head):
    for similarity in (np.zeros(0), np.full(5, np.nan)):
        reading = read(head, similarity, clip_length=CLIP)
        assert len(reading.spans) == 0
        assert reading.presence == 0.0


def test_a_picture_that_never_changes_has_no_cuts(head):
    similarity, _ = shown(40, (10, 20))
    still = read(head, similarity, np.zeros(39), clip_length=CLIP)
    unknown = read(head, similarity, clip_length=CLIP)
    np.testing.assert_array_equal(still.v, unknown.v)


@pytest.mark.parametrize(
    ("similarity", "change", "mask"),
    [
        (np.zeros((2, 5)), None, None),
        (np.zeros(5), np.zeros(5), None),
        (np.zeros(5), None, np.ones(4, bool)),
    ],
)
def test_wrong_shapes_are_named(head, similarity, change, mask):
    with pytest.raises(RdmfError, match="shape"):
        read(head, similarity, change, clip_length=CLIP, mask=mask)


def calls_of(head: TrainingFree, clips: int) -> int:
    """The number of calls of Python functions for a question to so many clips."""
    similarity, change = shown(clips, (100, 110))
    calls = 0

    def called(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(called)
    try:
        read(head, similarity, change, clip_length=CLIP)
    finally:
        sys.setprofile(None)
    return calls


def test_three_hours_take_hardly_more_calls_than_ten_minutes_and_little_memory(head):
    similarity, change = shown(5400, (1000, 1010), (4000, 4006))
    tracemalloc.start()
    reading = read(head, similarity, change, clip_length=CLIP)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert calls_of(head, 5400) < 2 * calls_of(head, 600)  # the work on clips is numpy's
    assert peak < 100e6
    assert iou(reading, 1000, 1010).max() > 0.7
    assert iou(reading, 4000, 4006).max() > 0.7


# ----------------------------------------------------------- what `rdmf fuse` shows


def test_the_trace_begins_with_the_seed_and_ends_with_the_pattern(head):
    reading = read(head, *shown(30, (10, 16)), clip_length=CLIP, trace=True)
    steps = head.rates.fusion.steps
    assert reading.trace.v.shape == (steps + 1, head.rates.fusion.channels, 30)
    np.testing.assert_array_equal(reading.trace.v[-1], reading.v)
    np.testing.assert_array_equal(reading.trace.u[0], 1.0)
    plain = read(head, *shown(30, (10, 16)), clip_length=CLIP)
    np.testing.assert_array_equal(plain.v, reading.v)


def test_reaction_rates_are_highest_where_the_query_matches(head):
    similarity, _ = shown(30, (10, 16))
    r = head.reaction(similarity)
    assert r.shape == (head.rates.fusion.channels, 30)
    assert np.all(r >= 0)
    assert np.all(r.max(axis=1) <= head.rates.fusion.reaction)
    assert set(r.argmax(axis=1)) <= set(range(10, 16))


def test_parts_that_differ_do_not_hold_footage_together():
    """Each part has its own level of similarity, whether or not it shows the query."""
    rng = np.random.default_rng(0)
    level = 0.1 * rng.normal(size=40).repeat(300)
    similarity, real = level + 0.05 * rng.normal(size=level.size), np.ones(level.size, bool)
    assert coherence(standardise(similarity, real), real) > 0.5
    assert coherence_of_best(similarity, real) < 0.2


@pytest.mark.parametrize("copies", [4, 20, 200])
def test_presence_of_a_repeated_video_is_that_of_the_video(head, copies):
    rng = np.random.default_rng(1)
    similarity, _ = shown(75, (20, 28))
    unrelated = 0.2 + 0.02 * rng.normal(size=(75, 32))
    once = head.presence(similarity, Background.of(unrelated))
    often = head.presence(
        np.tile(similarity, copies), Background.of(np.tile(unrelated, (copies, 1)))
    )
    assert often == pytest.approx(once, abs=0.04)

"""Disturbances of footage: their effect on clips and moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.datasets import disturbances as disturb
from rdmf_cli.datasets.annotations import Annotation
from rdmf_cli.datasets.disturbances import FOREIGN, Footage
from rdmf_cli.datasets.sample import Sample
from rdmf_cli.features.files import normalise_rows


def rows_of(clips: int, seed: int) -> np.ndarray:
    return normalise_rows(np.random.default_rng(seed).normal(size=(clips, 1, 6)))


@st.composite
def footage(draw) -> Footage:
    clips = draw(st.integers(1, 60))
    start = draw(st.integers(0, clips - 1))
    end = draw(st.integers(start + 1, clips))
    length = draw(st.sampled_from([0.5, 1.0, 2.0]))
    windows = np.array([[start, end]]) * length
    return Footage(rows_of(clips, clips), windows, length, np.arange(clips))


SEEDS = st.integers(0, 9)
OTHERS = [rows_of(clips, 100 + clips) for clips in (1, 7, 30)]


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def inside(video: Footage) -> np.ndarray:
    """(L,) whether the middle of each clip lies in a moment."""
    middle = (np.arange(len(video)) + 0.5) * video.clip_length
    start, end = video.windows[..., None].swapaxes(0, 1)
    return ((start < middle) & (middle < end)).any(axis=0)


def same_clips(before: Footage, after: Footage) -> None:
    """Check that each clip that is not foreign shows the clip that `source` states."""
    own = after.source != FOREIGN
    np.testing.assert_array_equal(after.rows[own], before.rows[after.source[own]])


def same_moment(before: Footage, after: Footage) -> None:
    """Check that a clip lies in the moment exactly if its source clip did."""
    own = after.source != FOREIGN
    np.testing.assert_array_equal(inside(after)[own], inside(before)[after.source[own]])


@given(footage(), st.floats(0.0, 4.0), SEEDS)
def test_noise_moves_rows_and_nothing_else(video, level, seed):
    noisy = disturb.with_noise(video, level, rng(seed))
    np.testing.assert_allclose(np.linalg.norm(noisy.rows, axis=-1), 1.0, atol=1e-3)
    assert np.array_equal(noisy.windows, video.windows)
    cosine = (noisy.rows * video.rows).sum(-1)
    if level < 1.0:
        assert (cosine >= np.sqrt(1.0 - level**2) - 1e-3).all()


@given(footage(), st.floats(0.0, 1.0), SEEDS)
def test_foreign_clips_replace_so_many_clips_in_their_place(video, share, seed):
    mixed = disturb.with_foreign_clips(video, share, OTHERS, rng(seed))
    assert (mixed.source == FOREIGN).sum() == round(share * len(video))
    assert len(mixed) == len(video)
    assert np.array_equal(mixed.windows, video.windows)
    same_clips(video, mixed)
    known = {row.tobytes() for other in OTHERS for row in other}
    assert all(row.tobytes() in known for row in mixed.rows[mixed.source == FOREIGN])


@given(footage(), st.integers(1, 15), st.integers(1, 5), SEEDS)
def test_insertions_push_the_rest_back_and_lie_within_a_moment_or_outside(
    video, every, length, seed
):
    shown = disturb.with_insertions(video, every, length, OTHERS[1:], rng(seed))
    breaks = (len(video) - 1) // every
    assert len(shown) == len(video) + breaks * length
    own = shown.source[shown.source != FOREIGN]
    assert np.array_equal(own, np.arange(len(video)))
    same_clips(video, shown)
    same_moment(video, shown)
    foreign = shown.source == FOREIGN
    runs = np.flatnonzero(np.diff(foreign.astype(int), prepend=0) == 1)
    lit = inside(shown)
    for start in runs:  # an insertion belongs to a moment if both of its neighbours do
        both = lit[start - 1] and lit[start + length]
        assert (lit[start : start + length] == both).all()


@given(footage(), st.floats(0.0, 0.9), SEEDS)
def test_repeats_show_the_clip_before_and_leave_moments_where_they_are(video, share, seed):
    still = disturb.with_repeats(video, share, rng(seed))
    same_clips(video, still)
    assert np.array_equal(still.windows, video.windows)
    assert (np.diff(still.source) >= 0).all()
    assert (still.source <= np.arange(len(video))).all()
    repeated = (np.diff(still.source, prepend=-1) == 0).sum()
    assert repeated == min(round(share * len(video)), len(video) - 1)


@given(footage(), st.integers(2, 4))
def test_short_and_long_clips_keep_time(video, parts):
    short = disturb.with_short_clips(video, parts)
    assert short.seconds == pytest.approx(video.seconds)
    assert np.array_equal(short.windows, video.windows)
    same_clips(video, short)
    same_moment(video, short)
    back = disturb.with_long_clips(short, parts)
    np.testing.assert_allclose(back.rows, video.rows, atol=1e-4)
    assert back.clip_length == pytest.approx(video.clip_length)
    assert np.array_equal(back.source, video.source)
    long = disturb.with_long_clips(video, parts)
    assert len(long) == -(-len(video) // parts)
    np.testing.assert_allclose(np.linalg.norm(long.rows, axis=-1), 1.0, atol=1e-3)


@given(footage(), st.integers(0, 3))
def test_among_others_a_video_stands_whole_at_its_place(video, place):
    longer = disturb.among(video, OTHERS, place)
    assert len(longer) == len(video) + sum(map(len, OTHERS))
    own = np.flatnonzero(longer.source != FOREIGN)
    assert own[0] == sum(map(len, OTHERS[:place]))
    assert np.array_equal(longer.rows[own], video.rows)
    same_moment(video, longer)
    assert not inside(longer)[longer.source == FOREIGN].any()


@given(footage(), SEEDS)
def test_what_is_drawn_depends_on_the_seed_alone(video, seed):
    for change in (
        lambda r: disturb.with_noise(video, 1.0, r),
        lambda r: disturb.with_foreign_clips(video, 0.3, OTHERS, r),
        lambda r: disturb.with_insertions(video, 5, 3, OTHERS, r),
        lambda r: disturb.with_repeats(video, 0.4, r),
    ):
        before = video.rows.copy()
        one, other = change(rng(seed)), change(rng(seed))
        assert np.array_equal(one.rows, other.rows)
        assert np.array_equal(video.rows, before)


def test_ratings_follow_their_clips():
    annotation = Annotation(
        qid=1,
        query="a dog runs",
        vid="meadow",
        duration=12.0,
        windows=np.array([[2.0, 6.0]]),
        clip_ids=np.array([1, 2]),
        ratings=np.array([[4, 4, 4], [1, 2, 3]]),
    )
    rows = rows_of(6, 0)
    sample = Sample(
        rows=rows,
        sentence=rows[0, 0],
        matching=slice(0, 6),
        words=rows[:0, 0],
        clip_length=2.0,
        duration=12.0,
        annotation=annotation,
    )
    plain = disturb.footage_of(sample)
    shown = disturb.sample_in(sample, disturb.with_insertions(plain, 2, 3, OTHERS[1:], rng(0)))
    assert shown.annotation.windows.tolist() == [[2.0, 12.0]]
    assert shown.annotation.clip_ids.tolist() == [1, 5]
    assert shown.annotation.ratings.tolist() == [[4, 4, 4], [1, 2, 3]]
    assert shown.duration == shown.annotation.duration == 24.0
    short = disturb.sample_in(sample, disturb.with_short_clips(plain))
    assert short.annotation.clip_ids.tolist() == [2, 3, 4, 5]
    assert short.clip_length == 1.0
    absent = disturb.sample_in(sample, disturb.Footage(rows, np.zeros((0, 2)), 2.0, np.arange(6)))
    assert absent.annotation.absent

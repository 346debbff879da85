"""The inputs of a learned head: the same numbers for encoders of any scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from random_heads import sample, unit, video

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.change import edges_of, visual_change
from rdmf_cli.channels.channels import CHANNELS, CUT, channels, evidence
from rdmf_cli.channels.inputs import inputs_of
from rdmf_cli.heads.learned.config import ModelConfig

SOME = settings(deadline=None, max_examples=60)
WIDTH = 4


@st.composite
def rows(draw: st.DrawFn) -> np.ndarray:
    """Unit rows of 1 to 30 clips, many of them similar."""
    clips = draw(st.integers(1, 30))
    shown = draw(arrays(np.float32, (clips, WIDTH), elements=st.sampled_from([-1, 0, 0.3, 1])))
    return unit(shown + np.array([0.01, 0.02, 0.03, 0.04]))


@SOME
@given(rows(), rows())
def test_every_channel_is_finite_and_bounded(clips, sentences):
    made = channels(clips, sentences[0])
    assert made.shape == (len(clips), len(CHANNELS))
    assert made.dtype == np.float32
    assert np.abs(made).max() <= 4
    weights = edges(clips)
    assert weights.shape == (len(clips) - 1,)
    assert weights.dtype == np.float32
    assert ((weights > 0) & (weights <= 1)).all()


def edges(rows: np.ndarray) -> np.ndarray:
    """Return the edge weights of clips with these rows."""
    return edges_of(visual_change(rows), CUT)


def in_another_space(rows: np.ndarray, share: float, direction: float) -> np.ndarray:
    """Change rows as if the two towers of an encoder had different directions: cosines between rows
    of one tower, and between rows of two towers, are scaled and shifted.
    """
    towards = [share * np.cos(direction), share * np.sin(direction)]
    own = np.broadcast_to(towards, (*rows.shape[:-1], 2))
    return np.concatenate([np.sqrt(1 - share**2) * rows, own], axis=-1).astype(np.float32)


@pytest.mark.parametrize("clips", [2, 5, 40])
@pytest.mark.parametrize(("share", "direction"), [(0.5, 0.3), (0.8, 2.0), (0.9, 0.0)])
def test_an_encoder_of_another_scale_says_the_same(clips, share, direction):
    shown, sentence = video(clips)
    moved = in_another_space(shown, share, 0.0), in_another_space(sentence, share, direction)
    assert np.abs(moved[0] @ moved[1] - shown @ sentence).max() > 0.01
    np.testing.assert_allclose(channels(*moved), channels(shown, sentence), atol=2e-3)
    np.testing.assert_allclose(edges(moved[0]), edges(shown), atol=2e-3)


def test_one_clip_and_a_still_picture_say_nothing():
    for clips in (1, 9):
        still = np.repeat(video(1)[0], clips, axis=0)
        made = channels(still, video(1, seed=1)[1])
        np.testing.assert_array_equal(made[:, :4], 0)  # the standardised channels
        np.testing.assert_allclose(made[:, 4:], -1, atol=1e-3)  # no change at all
        np.testing.assert_allclose(edges(still), 1, atol=1e-3)


def test_what_looks_like_the_best_match_is_echoed():
    """Clips 6 and 20 show the same; the sentence matches only clip 6."""
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.normal(size=(30, 16))
    look, sentence = np.eye(16)[0], np.eye(16)[1]
    noise[6] += look + sentence
    noise[20] += look
    made = channels(unit(noise + 0.2 * np.eye(16)[2]), unit(sentence))
    column = dict(zip(CHANNELS, made.T, strict=True))
    assert column["similarity"][20] < 1
    assert column["echo of the best"][20] > 2
    assert column["echo of the best"].argsort()[-2:].tolist() == [20, 6]


def test_a_cut_is_seen_from_both_sides_and_lets_little_pass():
    shown = np.repeat(unit(np.eye(16)[:2] + 0.1), 10, axis=0)
    shown = unit(shown + 0.02 * np.random.default_rng(0).normal(size=shown.shape))
    column = dict(zip(CHANNELS, channels(shown, shown[0]).T, strict=True))
    assert column["change before"].argmax() == 10
    assert column["change after"].argmax() == 9
    assert sorted(column["change over three clips"].argsort()[-3:]) == [10, 11, 12]
    assert edges(shown).argmin() == 9
    assert edges(shown)[9] < 0.1 < np.median(edges(shown))


def test_training_sees_what_answers_see():
    one = sample(20)
    seen = inputs_of(one, ModelConfig())
    matching = one.video[:, one.matching]
    np.testing.assert_array_equal(seen.channels, channels(matching, one.sentence))
    np.testing.assert_array_equal(seen.edges, edges(matching))


@SOME
@given(
    arrays(np.float64, st.integers(1, 20), elements=st.floats(-1, 1)),
    arrays(np.float64, (6, 9), elements=st.floats(-1, 1)),
    st.floats(0.1, 10),
    st.floats(-3, 3),
)
def test_evidence_is_bounded_and_free_of_scale(similarity, unrelated, scale, shift):
    background = Background.of(unrelated)
    found = evidence(similarity, background)
    assert found.dtype == np.float32
    assert np.abs(found[0]) <= 10
    assert found[1] == 1
    if background.deviation * min(scale, 1) > 2e-3:
        moved = evidence(scale * similarity + shift, Background.of(scale * unrelated + shift))
        np.testing.assert_allclose(moved, found, atol=1e-3)


def test_without_a_background_there_is_no_evidence():
    assert evidence(np.array([0.9, 0.8]), None).tolist() == [0, 0]


def test_a_match_above_the_background_is_evidence():
    background = Background(mean=0.2, deviation=0.05)
    assert evidence(np.full(5, 0.3), background)[0] == pytest.approx(2)
    assert evidence(np.full(5, 0.1), background)[0] == pytest.approx(-2)


@pytest.mark.parametrize("times", [2, 3, 4])
def test_repeats_of_a_frame_do_not_move_the_unit_of_change(times):
    """In static footage, or if clips are shorter than the changes, the same picture repeats."""
    clips, sentence = video(40)
    repeated = np.repeat(clips, times, axis=0)
    steps = np.arange(1, 40) * times  # the places at which the picture changes
    np.testing.assert_allclose(edges(repeated)[steps - 1], edges(clips), rtol=1e-5)
    before = CHANNELS.index("change before")
    once, often = (channels(rows, sentence)[:, before] for rows in (clips, repeated))
    np.testing.assert_allclose(often[steps], once[1:], atol=1e-5)
    np.testing.assert_allclose(np.delete(often, steps), -1, atol=1e-3)


def test_between_slides_that_stand_for_long_every_change_is_a_cut():
    slides, sentence = video(6)
    shown = np.repeat(slides, 20, axis=0)
    assert edges(shown)[19::20].max() < 0.01
    assert channels(shown, sentence)[20::20, CHANNELS.index("change before")].min() == 3

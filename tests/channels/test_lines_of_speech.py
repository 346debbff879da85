"""How well a line answers a query, and which clips a line covers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.channels.speech import Speech, chances, likeness, speech_of
from rdmf_cli.features.said import Line, Said, SpokenFeatures


def speech(*lines: tuple[float, float, float]) -> Speech:
    starts, ends, chance = (np.array(x, float) for x in zip(*lines, strict=True))
    return Speech(starts, ends, chance, tuple(f"line {n}" for n in range(len(lines))))


LINES = st.lists(
    st.tuples(st.floats(0, 50), st.floats(0.01, 20), st.floats(0, 1)), min_size=1, max_size=8
)


@given(lines=LINES, clip=st.floats(0.1, 5), clips=st.integers(1, 60))
def test_the_level_on_clips_is_bounded_by_the_best_line(lines, clip, clips):
    said = speech(*((start, start + length, chance) for start, length, chance in lines))
    level = said.on_clips(clip, clips)
    assert level.shape == (clips,)
    assert (level >= 0).all()
    assert level.max() <= max(chance for *_, chance in lines) + 1e-12


def test_a_line_counts_in_full_where_it_fills_a_clip_or_lies_in_one():
    said = speech((0.5, 1.0, 0.8), (4.0, 9.0, 0.6))
    assert said.on_clips(2.0, 6).tolist() == pytest.approx([0.8, 0, 0.6, 0.6, 0.3, 0])


def test_of_lines_that_overlap_the_best_counts():
    assert speech((0, 2, 0.3), (0, 2, 0.7)).on_clips(2.0, 1).tolist() == [0.7]


def test_a_part_has_the_lines_that_are_said_in_it():
    part = speech((0, 1, 0.1), (3, 6, 0.2), (8, 9, 0.3)).part(4.0, 8.0)
    assert (part.starts.tolist(), part.ends.tolist()) == ([0.0], [2.0])
    assert part.texts == ("line 1",)


def random_rows(*shape: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32) + 1
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_likeness_does_not_depend_on_what_all_sentences_share():
    rows = random_rows(46, 32)
    query, lines, background = rows[0], rows[1:6], rows[6:]
    alike = likeness(query, np.vstack([lines, query]), background)
    assert alike.argmax() == 5
    assert alike[5] > 3 > np.abs(alike[:5]).mean()


def test_among_more_lines_each_is_less_likely():
    alike = np.full(6, 4.0)
    few = chances(alike, "a dog", ["x"] * 6)[0]
    many = chances(np.full(600, 4.0), "a dog", ["x"] * 600)[0]
    odds = few / (1 - few), many / (1 - many)
    assert odds[0] / odds[1] == pytest.approx(100)


def test_a_line_with_all_the_words_answers_whatever_their_order_and_case():
    said = ["The Bowl of the DOG is here", "the bowl of the cat", "Dog's bowl."]
    found = chances(np.full(3, -5.0), "the dog's bowl", said)
    assert found[0] > 0.9
    assert found[1] < 0.01
    assert found[2] > 0.9


def test_a_query_without_words_of_its_own_is_not_found_by_words():
    assert chances(np.full(1, -5.0), "who is it?", ["who is it?"])[0] < 0.01


def test_times_are_those_of_the_part_that_is_searched():
    said = Said((Line(1, 2, "a"), Line(9, 12, "b"), Line(30, 31, "c")))
    spoken = SpokenFeatures(said, random_rows(3, 8).astype(np.float16))
    found = speech_of(spoken, "x", random_rows(8), random_rows(4, 8), (10.0, 20.0))
    assert found is not None
    assert (found.starts.tolist(), found.ends.tolist(), found.texts) == ([0], [2], ("b",))
    assert speech_of(spoken, "x", random_rows(8), random_rows(4, 8), (40.0, 50.0)) is None

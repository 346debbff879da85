"""Speech added to the reading of a head, with real features of the example video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.question import Question
from rdmf_cli.channels.speech import Speech
from rdmf_cli.heads.base import Head
from rdmf_cli.heads.registry import load_head
from rdmf_cli.heads.speech import quotes, with_speech
from rdmf_cli.moments.reading import Reading

CLIPS = 20


def question(lit: slice | None, *lines: tuple[float, float, float]) -> Question:
    """Twenty clips of 2 s, of which some match the query."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(CLIPS, 16)).astype(np.float32)
    sentence = np.zeros(16, np.float32)
    sentence[0] = 1.0
    rows[:, 0] = 0.0
    if lit is not None:
        rows[lit, 0] = 12.0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    speech = None
    if lines:
        starts, ends, chances = (np.array(x, float) for x in zip(*lines, strict=True))
        texts = tuple(f"line {n}" for n in range(len(lines)))
        speech = Speech(starts, ends, chances, texts)
    return Question(
        rows=rows,
        sentence=sentence,
        matching=slice(0, 16),
        words=np.zeros((0, 16), np.float32),
        clip_length=2.0,
        background=Background(0.3, 0.15),
        speech=speech,
    )


def read_with_speech(head: Head, asked: Question) -> Reading:
    """Answer from what is shown and what is said."""
    return with_speech(head.read(asked, top_k=10), asked, 10)


HEADS = ["learned", "training-free"]


@pytest.mark.parametrize("name", HEADS)
def test_without_speech_the_reading_is_that_of_the_head(name):
    head, asked = load_head(name), question(slice(4, 8))
    plain, heard = head.read(asked), read_with_speech(head, asked)
    assert np.array_equal(plain.spans, heard.spans)
    assert np.array_equal(plain.saliency, heard.saliency)
    assert plain.presence == heard.presence


@pytest.mark.parametrize("name", HEADS)
def test_lines_that_do_not_answer_change_no_moment(name):
    head, asked = load_head(name), question(slice(4, 8), (1.0, 3.0, 0.001), (20, 22, 0.0))
    plain, heard = head.read(asked), read_with_speech(head, asked)
    assert np.array_equal(plain.spans, heard.spans)
    assert heard.presence == pytest.approx(plain.presence, abs=0.002)


@pytest.mark.parametrize("name", HEADS)
def test_what_is_only_said_is_found_at_its_own_times(name):
    heard = read_with_speech(load_head(name), question(None, (21.3, 24.1, 0.97)))
    assert heard.spans[0].tolist() == pytest.approx([21.3, 24.1])
    assert heard.presence > 0.9
    assert heard.saliency[11] > 0.9
    assert (np.diff(heard.raw_scores) <= 0).all()


@pytest.mark.parametrize("name", HEADS)
def test_what_is_shown_and_said_at_once_is_the_shown_moment(name):
    head, asked = load_head(name), question(slice(4, 8), (9.0, 11.0, 0.3))
    plain, heard = head.read(replace(asked, speech=None)), read_with_speech(head, asked)
    assert heard.spans[0].tolist() == plain.spans[0].tolist()
    assert heard.presence > plain.presence


def test_lines_said_in_one_go_are_one_moment():
    lines = (20.0, 22.0, 0.9), (22.5, 25.0, 0.8), (33.0, 34.0, 0.9)
    heard = read_with_speech(load_head(), question(None, *lines))
    assert [20.0, 25.0] in heard.spans.tolist()
    assert [33.0, 34.0] in heard.spans.tolist()


def test_pictures_that_match_make_a_line_likelier():
    line = (18.0, 20.0, 0.3)
    alone = read_with_speech(load_head(), question(slice(2, 4), line))
    shown = load_head().read(question(slice(8, 11)))
    agreeing = read_with_speech(load_head(), question(slice(8, 11), line))
    said_alone = 1 - (1 - alone.presence) / (1 - load_head().read(question(slice(2, 4))).presence)
    said_shown = 1 - (1 - agreeing.presence) / (1 - shown.presence)
    assert said_shown > said_alone + 0.02


def test_quotes_are_the_lines_that_answer_in_order_of_time():
    said = question(None, (5.0, 6.0, 0.6), (7.0, 9.0, 0.9), (9.5, 10.0, 0.1)).speech
    found = quotes(said, (4.0, 11.0), offset=100.0)
    assert [(q.start, q.text) for q in found] == [(105.0, "line 0"), (107.0, "line 1")]
    assert quotes(said, (9.5, 10.0), offset=0.0)[0].chance == pytest.approx(0.1)
    assert quotes(None, (0.0, 1.0), offset=0.0) == ()

"""Videos of any length: windows give the results of the whole video, in bounded memory and time."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import peak_memory
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_heads import FULL, WIDTH, asked, random_network, sample, unit

from rdmf_cli.channels.inputs import inputs_of
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.heads.learned.torch.export import TorchGraphs, export
from rdmf_cli.heads.learned.windows import (
    ClipOutputs,
    Found,
    find_long,
    fuse,
    gaps,
    of_own_part,
    standing,
)
from rdmf_cli.moments import span_iou

CLIPS = 2000


@pytest.mark.parametrize("config", [{}, {"fusion": "convolution"}, FULL])
def test_windows_are_fused_as_the_whole_video_is(config):
    graphs = TorchGraphs(random_network(**config))
    inputs = inputs_of(sample(CLIPS), graphs.config)
    by_window, at_once = fuse(graphs, inputs), fuse(graphs, inputs, window=CLIPS)
    for name in ("features", "pattern", "saliency", "curves"):
        one, other = getattr(by_window, name), getattr(at_once, name)
        np.testing.assert_allclose(one, other, atol=1e-5)


def footage(clips: int, *moments: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Shots of about twenty random clips, a sentence, and where it is shown: unit rows."""
    rng = np.random.default_rng(seed)
    shots = rng.normal(size=(clips // 20 + 1, WIDTH)).repeat(20, axis=0)[:clips]
    sentence = unit(rng.normal(size=WIDTH))
    shots -= (shots @ sentence)[:, None] * sentence  # these shots do not show the query
    for start, end in moments:
        shots[start:end] = 0.4 * rng.normal(size=WIDTH) + 3 * sentence
    return unit(shots + 0.3 * rng.normal(size=shots.shape)), sentence


@pytest.fixture(scope="module")
def shipped() -> LearnedHead:
    return LearnedHead.load()


@pytest.mark.parametrize("clips", [100, 140, 600, 3000])
@pytest.mark.parametrize("place", [0.0, 0.32, 0.77, 1.0])
def test_a_moment_is_found_first_wherever_it_lies_in_footage_of_any_length(shipped, clips, place):
    start = round(place * (clips - 12))
    rows, sentence = footage(clips, (start, start + 12))
    first = shipped.read(asked(rows, sentence), distinct=True).spans[0]
    assert span_iou(first, 2.0 * np.array([start, start + 12])) > 0.7


def test_repeats_of_a_video_are_answered_as_the_video_is(shipped):
    rows, sentence = footage(75, (30, 42))
    once = shipped.read(asked(rows, sentence), distinct=True)
    for copies in (4, 15, 40):
        often = shipped.read(
            asked(np.tile(rows, (copies, 1)), sentence), top_k=copies, distinct=True
        )
        np.testing.assert_allclose(often.spans % 150, np.tile(once.spans[0], (copies, 1)), atol=2)
        np.testing.assert_allclose(often.scores, once.scores[0], atol=0.05)
        saliency = often.saliency.reshape(copies, -1)
        assert (saliency.argmax(1) // 12 == once.saliency.argmax() // 12).all()
        np.testing.assert_allclose(saliency.max(1), once.saliency.max(), atol=0.1)


def test_of_two_readings_of_a_moment_the_one_farther_from_the_borders_stays():
    parts = [slice(0, 128), slice(64, 192), slice(128, 256)]
    first = [[80, 90], [100, 110], [70, 76]]  # the middle of [100, 110] is nearer to the border
    second = [[81, 91], [101, 111], [170, 180], [150, 156]]
    third = [[169, 180], [200, 210]]
    found = [
        Found(np.array(spans, np.float32), np.arange(len(spans), dtype=np.float32))
        for spans in (first, second, third)
    ]
    kept = of_own_part(found, parts)
    assert [one.spans.tolist() for one in kept] == [
        [[80, 90], [70, 76]],
        [[101, 111], [150, 156]],
        [[169, 180], [200, 210]],
    ]
    assert [one.scores.tolist() for one in kept] == [[0, 2], [1, 3], [0, 1]]


def test_a_moment_that_only_one_window_found_stays():
    parts = [slice(0, 128), slice(64, 192)]
    none = Found(np.zeros((0, 2), np.float32), np.zeros(0, np.float32))
    alone = Found(np.array([[97, 105]], np.float32), np.zeros(1, np.float32))
    assert of_own_part([alone, none], parts)[0].spans.tolist() == [[97, 105]]


@pytest.mark.parametrize("copies", [4, 7, 8, 20, 60])
def test_what_is_nowhere_shown_is_not_the_whole_video(shipped, copies):
    rows, sentence = footage(75)
    found = shipped.read(asked(np.tile(rows, (copies, 1)), sentence), top_k=5, distinct=True)
    assert np.diff(found.spans).max() < 0.8 * copies * 150


def test_what_is_shown_beside_other_footage_comes_before_all_of_that(shipped):
    """In each window some moment is the best; moments in other footage have lower scores."""
    rows, sentence = footage(3000, (1400, 1412))
    others = shipped.read(asked(rows, sentence), top_k=10, distinct=True)
    own = span_iou(others.spans, np.array([2800.0, 2824.0])) > 0
    assert others.scores[own].max() > others.scores[~own].max() + 0.3


def test_a_span_gains_by_how_much_higher_it_stands_in_the_footage_than_among_its_neighbours():
    near, span = slice(13, 88), np.array([[40.0, 60.0]])
    curve = np.full(300, 0.2)
    curve[:100:2] = 0.3
    curve[40:60] = 0.3
    inside = curve[near]
    expected = (0.3 - curve.mean()) / curve.std() - (0.3 - inside.mean()) / inside.std()
    assert expected > 0.5
    np.testing.assert_allclose(standing(curve, span), [expected])
    np.testing.assert_allclose(standing(7 * curve + 3, span), [expected])
    assert standing(curve, np.array([[-3.0, 4.5], [290.0, 301.0]])).shape == (2,)
    assert standing(curve, np.zeros((0, 2))).shape == (0,)


@given(start=st.integers(0, 299), length=st.integers(1, 75), seed=st.integers(0, 99))
def test_a_span_of_a_repeated_video_stands_as_high_everywhere(start, length, seed):
    once = np.random.default_rng(seed).normal(size=75)
    span = np.array([[start, start + length]])
    np.testing.assert_allclose(standing(np.tile(once, 6), span), 0, atol=1e-6)
    np.testing.assert_array_equal(standing(np.full(450, 0.2), span), 0)


def test_looks_count_for_less_the_less_their_best_clips_match():
    rng = np.random.default_rng(0)
    curve = 0.1 * rng.normal(size=300)
    parts = [slice(0, 100), slice(100, 200), slice(200, 300)]
    curve[120:130] += 1.0
    curve[220:230] += 0.5
    less = gaps(curve, parts)
    assert less[1] == 0
    assert 0 < less[2] < less[0]
    np.testing.assert_allclose(gaps(7 * curve + 3, parts), less)
    np.testing.assert_array_equal(gaps(np.full(300, 0.2), parts), 0)


def lit(clips: int, *moments: tuple[int, int]) -> ClipOutputs:
    """Make a field whose pattern is high in some spans of clips."""
    pattern = np.full((4, clips), -4, np.float32)
    pattern += 0.3 * np.random.default_rng(0).normal(size=pattern.shape).astype(np.float32)
    for start, end in moments:
        pattern[:, start:end] += 8
    rest = np.zeros((clips, 64), np.float32)
    return ClipOutputs(rest, pattern, pattern[0], 0.0, rest[:, :6])


@pytest.mark.parametrize("moment", [(0, 200), (500, 700), (2800, 3000), (900, 1800), (0, 3000)])
def test_a_moment_that_no_look_holds_is_found_in_the_pattern_of_the_whole(moment):
    found = find_long(lit(3000, moment, (2000, 2003)), 128, ModelConfig())
    best = found.spans[found.scores.argmax()]
    assert span_iou(best, np.array(moment)) > 0.9
    assert found.scores.max() > 2


def test_a_long_span_that_is_lit_here_and_there_is_not_expected_to_be_a_moment():
    here_and_there = [(start, start + 10) for start in range(0, 3000, 40)]
    found = find_long(lit(3000, *here_and_there), 128, ModelConfig())
    assert (found.scores < 0).all()


def test_four_copies_of_a_moment_are_not_one_moment_of_the_whole_footage():
    """A 76 s video is shown four times: no fifth moment is longer than 80 % of the footage."""
    copies = [(start + 10, start + 16) for start in range(0, 152, 38)]
    found = find_long(lit(152, *copies), 128, ModelConfig())
    assert (found.scores < -2.5).all()


ASK = """
import sys
import numpy as np
from rdmf_cli.channels.question import Question
from rdmf_cli.heads.learned.archive import OnnxGraphs
from rdmf_cli.heads.learned.head import LearnedHead
clips = calls = 0
run = OnnxGraphs.run
def counted(graphs, graph, **inputs):
    global clips
    clips += max(x.shape[1] for x in inputs.values() if x.ndim > 1)
    return run(graphs, graph, **inputs)
OnnxGraphs.run = counted
def called(frame, event, argument):
    global calls
    calls += event == "call"
head = LearnedHead.load(__import__("pathlib").Path(sys.argv[1]))
rows = np.random.default_rng(0).normal(size=(int(sys.argv[2]), 16)).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
question = Question(
    rows=rows, sentence=rows[0], matching=slice(0, rows.shape[1]), words=rows[:0], clip_length=1.0
)
sys.setprofile(called)
reading = head.read(question)
sys.setprofile(None)
assert len(reading.spans) == 10
assert "torch" not in sys.modules
print(PEAK, clips, calls)  # bytes; clips that the graphs read; calls of Python functions
""".replace("PEAK", peak_memory.CODE)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux tells it")
def test_three_hours_take_no_more_work_per_clip_and_little_more_room_than_ten_minutes(tmp_path):
    path = export(random_network(), tmp_path / "head.rdmf")
    found = []
    for clips in (600, 3 * 3600):
        shell = [sys.executable, "-c", ASK, str(path), str(clips)]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=300, check=True)
        room, read, calls = map(int, done.stdout.split())
        found.append((room / 2**20, read / clips, calls / clips))
    (room, read, calls), (more_room, more_read, more_calls) = found
    assert more_read < 1.2 * read < 8  # each clip is in few windows
    assert more_calls < calls
    assert more_room - room < 80  # MB

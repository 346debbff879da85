"""query, extract and fuse in the test's process: their results and their errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_shell import write_video

from rdmf_cli import RdmfError, Searcher, UsageError, extract, fuse, query
from rdmf_cli.outputs.json_lines import json_line

OWN = {"encoder": "embedded"}
SQUARE = "a red square"


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("videos") / "square.mp4")


def test_the_face_of_the_package_is_complete():
    import rdmf_cli

    assert all(callable(getattr(rdmf_cli, name)) for name in rdmf_cli.__all__)
    assert {"query", "extract", "fuse", "train", "evaluate"} <= set(rdmf_cli.__all__)


def test_query_answers_as_the_searcher_does(video):
    answer = query(video, f"  {SQUARE}\n", top_k=2, clip_length=1, **OWN)
    (same,) = Searcher(clip_length=1.0, **OWN).ask(video, [SQUARE], top_k=2)
    assert answer.query == SQUARE
    assert answer.features.clips == len(answer.saliency) == 6
    assert 1 <= len(answer.moments) <= 2
    assert same.model_dump(exclude={"timings", "features"}) == answer.model_dump(
        exclude={"timings", "features"}
    )
    assert same.features.cached


@pytest.mark.parametrize(("start", "end"), [(2, 4.5), ("2", "0:04.5"), ("0:00:02", "4.5")])
def test_times_are_seconds_or_clock_times(video, start, end):
    answer = query(video, SQUARE, start=start, end=end, clip_length=0.5, cache=False, **OWN)
    assert answer.offset == 2.0
    assert len(answer.saliency) == 5
    assert all(2.0 <= m.start < m.end <= 4.5 for m in answer.moments)


def test_extract_gives_a_row_per_clip_and_fills_the_cache(video):
    features = extract(str(video), clip_length=2.0, **OWN)
    assert features.rows.shape == (3, 384)
    assert features.rows.dtype == np.float16
    again = extract(Path(video), clip_length=2.0, **OWN)
    assert again.cached
    assert np.array_equal(again.rows, features.rows)
    part = extract(video, start="0:02", end=4, clip_length=2.0, **OWN)
    assert np.array_equal(part.rows, features.rows[1:2])
    assert part.offset == 2.0


def test_without_cache_nothing_is_kept(video, own_cache):
    assert not extract(video, cache=False, **OWN).cached
    assert not extract(video, cache=False, **OWN).cached
    assert list(own_cache.rglob("*.safetensors")) == []


def test_fuse_shows_how_the_answer_came_about(video):
    fused = fuse(video, SQUARE, clip_length=0.5, **OWN)
    channels, clips = fused.reading.v.shape
    assert clips == len(fused.similarity) == 12
    assert len(fused.change) == clips - 1
    assert fused.r.shape == (channels, clips)
    assert fused.trace.v.shape[1:] == (channels, clips)
    assert np.allclose(fused.trace.v[-1], fused.reading.v)
    assert fused.answer.head == "training-free"
    record = fused.record()
    assert [channel.channel for channel in record.channels] == list(range(channels))
    assert '"rdmf.fuse/1"' in json_line(record)


def test_a_level_set_is_where_v_is_high(video):
    fused = fuse(video, SQUARE, clip_length=0.5, start=1, **OWN)
    v = fused.reading.v[0]
    middle = fused.features.offset + 0.5 * (np.arange(len(v)) + 0.5)
    for height in (0.0, float(np.median(v)), float(v.max()), float(v.max()) + 1):
        spans = fused.level_set(0, height)
        inside = np.any([(a < middle) & (middle < b) for a, b in spans] or [middle < 0], axis=0)
        assert np.array_equal(inside, v >= height)


def test_progress_is_told_and_may_interrupt(video):
    told: list[tuple[int, int]] = []
    search = Searcher(clip_length=1.0, cache=False, progress=lambda *at: told.append(at), **OWN)
    search.extract(video)
    assert told[-1] == (6, 6)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Searcher(cache=False, progress=interrupt, **OWN).extract(video)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    for verb in (lambda path: query(path, "a dog", **OWN), lambda path: extract(path, **OWN)):
        with pytest.raises(FileNotFoundError) as caught:
            verb(tmp_path / "none.mp4")
        assert isinstance(caught.value, RdmfError)
        assert caught.value.subject == caught.value.filename == str(tmp_path / "none.mp4")
        assert caught.value.todo


WRONG = [
    ({"top_k": 0}, "--top-k must be greater than or equal to 1, not 0"),
    ({"top_k": "5"}, "--top-k must be a valid integer, not '5'"),
    ({"top_k": True}, "--top-k must be"),
    ({"min_score": 2}, "--min-score must be"),
    ({"clip_length": 0}, "--clip-length must be"),
    ({"clip_length": float("nan")}, "--clip-length must be"),
    ({"start": "1:x"}, "--start '1:x' is not a time"),
    ({"start": -1.5}, "--start -1.5 is not a time"),
    ({"start": [1]}, "--start must be"),
    ({"start": 5, "end": "0:03"}, r"--end \(3 s\) must be after --start \(5 s\)"),
    ({"device": "gpu"}, "--device must be auto, cpu, cuda, cuda:1 or mps, not 'gpu'"),
    ({"head": "best"}, "best"),
    ({"encoder": 5}, "--encoder must be"),
    ({"cache": "no"}, "--cache must be"),
    ({"topk": 5}, "topk: query has no such argument"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_wrong_arguments_are_usage_errors(video, arguments, said):
    with pytest.raises(UsageError, match=said):
        query(video, SQUARE, **{**OWN, **arguments})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: query(5, "a dog"), "video must be"),
        (lambda: query("a.mp4", None), "sentence must be"),
        (lambda: query("a.mp4"), "sentence: query needs this argument"),
        (lambda: query("a.mp4", " \n", **OWN), "the query is empty"),
        (
            lambda: Searcher(**OWN).ask("a.mp4", "a dog"),
            "queries must be a list of texts, not 'a dog'",
        ),
        (lambda: Searcher(clip="2"), "clip: Searcher has no such argument"),
        (lambda: Searcher(clip_length="2"), "--clip-length must be"),
        (lambda: Searcher(**OWN).extract("a.mp4", begin=1), "begin: Searcher.extract has no such"),
    ],
)
def test_other_wrong_calls_are_usage_errors(call, said):
    with pytest.raises(UsageError, match=said):
        call()

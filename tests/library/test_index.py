"""Rules for every index; add a new engine to `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.features import normalise_rows
from rdmf_cli.library.coded import CodedIndex, has_engine, lie_close_together
from rdmf_cli.library.index import ExactIndex, Index

ENGINES: dict[str, Callable[[], Index]] = {"exact": ExactIndex}
WIDTH = 8
if has_engine():
    ENGINES["coded"] = CodedIndex


def features(clips: int, seed: int) -> np.ndarray:
    return normalise_rows(np.random.default_rng(seed).normal(size=(clips, WIDTH)))


def by_hand(videos: dict[int, np.ndarray], query: np.ndarray) -> list[tuple[float, int, int]]:
    every = [
        (-float(row @ query), video, clip)
        for video, rows in videos.items()
        for clip, row in enumerate(rows)
    ]
    return sorted(every)


def pairs(index: Index, query: np.ndarray, count: int) -> list[tuple[int, int]]:
    found = index.nearest(query, count)
    assert np.all(np.diff(found.cosine) <= 0)
    return list(zip(found.video.tolist(), found.clip.tolist(), strict=True))


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Index:
    return ENGINES[request.param]()


@given(
    lengths=st.lists(st.integers(0, 9), max_size=6),
    count=st.integers(1, 60),
    seed=st.integers(0, 9),
)
def test_the_nearest_clips_are_those_found_by_hand(lengths, count, seed) -> None:
    videos = {7 * n: features(clips, n) for n, clips in enumerate(lengths)}
    query = features(1, 100 + seed)[0]
    expected = [(video, clip) for _, video, clip in by_hand(videos, query)][:count]
    for make in ENGINES.values():
        index = make()
        for video in reversed(videos):
            index.add(video, videos[video])
        assert len(index) == sum(lengths)
        assert pairs(index, query, count) == expected


def test_a_video_is_replaced_and_removed(engine: Index) -> None:
    query = features(1, 5)[0]
    engine.add(1, features(4, 1))
    engine.add(2, features(3, 2))
    engine.add(1, query[None])
    assert len(engine) == 4
    assert pairs(engine, query, 1) == [(1, 0)]
    engine.remove(1)
    engine.remove(1)
    assert {video for video, _ in pairs(engine, query, 9)} == {2}


def test_equal_cosines_come_in_the_order_of_videos_and_clips(engine: Index) -> None:
    same = np.repeat(features(1, 3), 3, axis=0)
    for video in (5, 3, 4):
        engine.add(video, same)
    assert pairs(engine, same[0], 4) == [(3, 0), (3, 1), (3, 2), (4, 0)]


def test_an_empty_index_finds_nothing(engine: Index) -> None:
    assert pairs(engine, features(1, 0)[0], 3) == []


@pytest.mark.needs("faiss")
def test_codes_find_almost_all_of_many_clips(monkeypatch) -> None:
    """For 20,000 clips in shots, almost all of the ten nearest are among 1,000 candidates."""
    monkeypatch.setattr("rdmf_cli.library.coded.CANDIDATES", 1000)
    draw = np.random.default_rng(0)
    shots = draw.normal(size=(2000, 128)).repeat(10, axis=0)
    clips = normalise_rows(shots + 0.3 * draw.normal(size=shots.shape))
    videos = [(n, clips[100 * n : 100 * n + 100]) for n in range(200)]
    exact, coded = ExactIndex(videos), CodedIndex((n, rows, None) for n, rows in videos)
    queries = normalise_rows(clips[draw.integers(0, len(clips), 50)] + 0.1 * draw.normal(size=128))
    found = [set(pairs(coded, q, 10)) & set(pairs(exact, q, 10)) for q in queries]
    assert sum(map(len, found)) >= 0.98 * 10 * len(queries)


def test_features_that_share_a_direction_are_told_by_a_sample_of_videos() -> None:
    draw = np.random.default_rng(1)
    apart = [normalise_rows(draw.normal(size=(5, 64))) for _ in range(1200)]
    together = [normalise_rows(video + 0.25) for video in apart]  # their mean has a length of .88
    empty = np.zeros((0, 64), np.float32)
    assert lie_close_together([empty, *together])
    assert not lie_close_together([empty, *apart])
    assert not lie_close_together([empty])


@pytest.mark.needs("faiss")
def test_codes_find_few_of_the_nearest_clips_if_features_lie_close_together(monkeypatch) -> None:
    """The reason for `lie_close_together`; queries lie apart from the clips, as sentences do."""
    monkeypatch.setattr("rdmf_cli.library.coded.CANDIDATES", 60)
    draw = np.random.default_rng(2)
    clips = normalise_rows(1.0 + 0.5 * draw.normal(size=(20_000, 64)))
    queries = normalise_rows(-1.0 + 2.0 * draw.normal(size=(20, 64)))
    exact, coded = ExactIndex([(0, clips)]), CodedIndex([(0, clips, None)])
    found = [set(pairs(coded, q, 10)) & set(pairs(exact, q, 10)) for q in queries]
    assert sum(map(len, found)) < 0.5 * 10 * len(queries)
    assert lie_close_together([clips[i : i + 1] for i in range(100)])

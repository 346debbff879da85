"""One ranked list over many videos."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_videos import QUERY, collection, video

from rdmf_cli.channels.background import Background
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.library.ranking import match, relevance
from rdmf_cli.library.search import Found, Limits, choose_candidates, search
from rdmf_cli.library.stretches import STRETCH, WHOLE, stretches, strongest_by_group

HEAD = TrainingFree.load()


def overlap(found: Found, start: float, end: float) -> float:
    both = min(found.end, end) - max(found.start, start)
    return max(both, 0.0) / (max(found.end, end) - min(found.start, start))


def test_the_video_that_shows_it_comes_first_and_its_moment_is_right() -> None:
    videos = [video(60, seed) for seed in range(12)]
    videos[7] = video(60, 7, slice(20, 28))
    found = search(collection(*videos), QUERY, HEAD)
    assert found[0].video == "video0007.mp4"
    assert overlap(found[0], 40, 56) > 0.8
    assert found[0].convinces
    assert found[0].presence > 0.9
    assert [f.relevance for f in found] == sorted((f.relevance for f in found), reverse=True)


def test_one_video_does_not_fill_the_list() -> None:
    both = video(80, 1, np.r_[10:16, 50:56])
    videos = collection(both, video(80, 2), video(80, 3, slice(30, 36), strength=0.9))
    single = search(videos, QUERY, HEAD)
    assert [f.video for f in single] == [f"video000{n}.mp4" for n in (0, 2, 1)]
    double = search(videos, QUERY, HEAD, Limits(per_video=2))
    assert {f.video for f in double[:2]} == {"video0000.mp4"}
    starts = sorted(f.start for f in double[:2])
    assert starts == pytest.approx([20, 100], abs=4)


def test_times_are_the_players() -> None:
    late = video(60, 3, slice(20, 28), offset=7.5, duration=127.5)
    (found,) = search(collection(late), QUERY, HEAD)
    assert overlap(found, 47.5, 63.5) > 0.8


def test_no_moment_ends_after_its_video() -> None:
    cut = video(60, 3, slice(52, 60), duration=118.7)
    (found,) = search(collection(cut), QUERY, HEAD)
    assert found.end <= 118.7


def test_min_presence_leaves_out_what_is_hardly_there() -> None:
    videos = collection(video(60, 1, slice(8, 16)), *(video(60, seed) for seed in range(2, 9)))
    assert len(search(videos, QUERY, HEAD)) == 8
    kept = search(videos, QUERY, HEAD, Limits(min_presence=0.5))
    assert kept[0].video == "video0000.mp4"
    assert all(found.presence >= 0.5 for found in kept)


class Counting(TrainingFree):
    """Counts the clips that it reads together."""

    def read_many(self, questions, **options):
        self.read_together.append(sum(map(len, questions)))
        return super().read_many(questions, **options)


def test_candidates_are_read_together_and_few_at_once(monkeypatch) -> None:
    videos = collection(*(video(40 + seed, seed, slice(8, 16)) for seed in range(9)))
    head = Counting.load()
    head.read_together = []
    found = search(videos, QUERY, head)
    assert head.read_together == [sum(range(40, 49))]
    monkeypatch.setattr("rdmf_cli.library.search.CLIPS_TOGETHER", 100)
    assert search(videos, QUERY, head) == found
    assert len(head.read_together) == 1 + 5
    assert max(head.read_together[1:]) <= 100


@pytest.mark.parametrize("start", [0, 250, 1400, 2990])
def test_a_moment_of_a_long_video_is_found_in_its_stretch(start: int) -> None:
    long = video(3000, 5, slice(start, start + 10))
    videos = collection(video(60, 1), long, video(60, 2))
    for candidates in (3, None):
        found = search(videos, QUERY, HEAD, Limits(candidates=candidates))
        assert found[0].video == "video0001.mp4"
        assert overlap(found[0], 2.0 * start, 2.0 * start + 20) > 0.6


def test_overlapping_stretches_list_a_moment_once() -> None:
    long = video(1000, 5, slice(300, 310))
    found = search(collection(long), QUERY, HEAD, Limits(per_video=5, candidates=None))
    assert sum(overlap(f, 600, 620) > 0.5 for f in found) == 1


def test_few_candidates_find_what_reading_all_finds() -> None:
    videos = [video(40, seed) for seed in range(300)]
    for place, strength in ((17, 1.2), (130, 1.6), (255, 2.0)):
        videos[place] = video(40, place, slice(12, 20), strength)
    quick = search(collection(*videos), QUERY, HEAD, Limits(top_k=3, candidates=16))
    assert quick == search(collection(*videos), QUERY, HEAD, Limits(top_k=3, candidates=None))
    assert len(choose_candidates(collection(*videos), QUERY, 16)) == 16


def test_nothing_to_search_finds_nothing() -> None:
    assert search(collection(), QUERY, HEAD) == []


@given(st.integers(1, 5000))
def test_stretches_cover_a_video_and_overlap_by_half(clips: int) -> None:
    parts = stretches(clips)
    assert parts[0].start == 0
    assert parts[-1].stop == clips
    assert all(part.stop - part.start <= (WHOLE if clips <= WHOLE else STRETCH) for part in parts)
    overlaps = [a.stop - b.start for a, b in itertools.pairwise(parts)]
    assert all(both == STRETCH // 2 for both in overlaps)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-1, 1)), max_size=30))
def test_the_strongest_of_each_group_are_averaged(values: list[tuple[int, float]]) -> None:
    group = np.array([g for g, _ in values], np.int64)
    similarity = np.array([s for _, s in values])
    result = strongest_by_group(similarity, group, 5)
    for g in range(5):
        best = sorted((s for other, s in values if other == g), reverse=True)[:3]
        assert result[g] == (pytest.approx(np.mean(best)) if best else -np.inf)


@given(st.floats(-9, 9), st.floats(0, 1), st.floats(0, 9))
def test_relevance_grows_with_match_and_with_presence(matches, presence, more) -> None:
    low = relevance(matches, presence)
    assert 0 <= low <= relevance(matches + more, presence) <= 1
    assert low <= relevance(matches, min(presence + more, 1.0))


def test_the_match_of_a_moment_is_that_of_its_best_clips() -> None:
    scale = Background(0.2, 0.05)
    assert match(np.array([0.1, 0.3, 0.25, 0.35]), scale) == pytest.approx(2.5)
    assert match(np.array([0.3]), scale) == pytest.approx(2.0)

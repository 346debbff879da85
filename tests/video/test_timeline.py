"""Timestamps, the grid of clips, and the frame of each clip."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.video import ClipGrid, Timestamp
from rdmf_cli.video.packets import HIDDEN, KEY, Timeline
from rdmf_cli.video.sampling import plan_runs, wanted_frames

seconds = st.integers(0, 400_000).map(lambda ms: ms / 1000)
unhurried = settings(deadline=None)  # the machine may be busy
clip_lengths = st.sampled_from([2.0, 1.0, 0.5, 0.1667, 4.0, 0.1])


class TestTimestamp:
    def test_is_exact_over_time_bases(self) -> None:
        assert Timestamp(1, Fraction(1, 3)) == Timestamp(30_000, Fraction(1, 90_000))
        assert hash(Timestamp(1, Fraction(1, 3))) == hash(Timestamp(2, Fraction(1, 6)))
        assert Timestamp(1, Fraction(1, 3)) < Timestamp(1, Fraction(1, 2))
        assert Timestamp(3, Fraction(1, 2)).seconds == 1.5

    def test_is_not_a_number(self) -> None:
        assert Timestamp(1, Fraction(1)) != 1
        with pytest.raises(TypeError):
            assert Timestamp(1, Fraction(1)) < 2  # type: ignore[operator]


class TestClipGrid:
    @pytest.mark.parametrize(
        ("duration", "count"), [(20, 10), (21, 11), (19, 10), (11, 6), (0.2, 1), (0, 1)]
    )
    def test_counts_clips_as_the_published_features_do(self, duration: float, count: int) -> None:
        assert ClipGrid(duration, 2.0).count == count

    def test_a_decimal_number_means_itself(self) -> None:
        """In binary, 0.35 / 0.1 is slightly less than 3.5."""
        assert ClipGrid(0.35, 0.1).count == 4
        assert ClipGrid(10.0, 0.1).middle(3) == Fraction(35, 100)

    @unhurried
    @given(seconds, clip_lengths)
    def test_the_clips_tile_the_video_to_within_half_a_clip(
        self, duration: float, clip_length: float
    ) -> None:
        grid = ClipGrid(duration, clip_length)
        assert grid.spans[0][0] == 0
        assert all(a[1] == b[0] for a, b in pairwise(grid.spans))
        assert abs(grid.spans[-1][1] - duration) <= clip_length / 2 + 1e-9 or grid.count == 1

    @unhurried
    @given(seconds.filter(lambda s: s > 1), clip_lengths, st.data())
    def test_a_part_holds_the_clips_that_overlap_it(
        self, duration: float, clip_length: float, data: st.DataObject
    ) -> None:
        whole = ClipGrid(duration, clip_length)
        start = data.draw(st.floats(0, duration, exclude_max=True))
        end = data.draw(st.floats(start, duration * 2, exclude_min=True))
        part = whole.part(start, end)
        overlapping = [i for i in whole.indices if whole.span(i)[0] < end]
        overlapping = [i for i in overlapping if whole.span(i)[1] > start]
        assert list(part.indices) == (overlapping or [whole.count - 1])
        assert part.count == whole.count
        assert part.spans == [whole.span(i) for i in part.indices]

    def test_an_open_part_reaches_to_the_ends(self) -> None:
        grid = ClipGrid(20.0, 2.0)
        assert list(grid.part(None, 3.0).indices) == [0, 1]
        assert list(grid.part(17.0).indices) == [8, 9]
        assert grid.part().indices == grid.indices

    @pytest.mark.parametrize(("start", "end"), [(5.0, 5.0), (6.0, 5.0)])
    def test_an_empty_part_is_a_usage_error(self, start: float, end: float) -> None:
        with pytest.raises(UsageError, match="must be after --start"):
            ClipGrid(20.0, 2.0).part(start, end)

    @pytest.mark.parametrize("start", [20.0, 99])
    def test_a_part_past_the_end_is_the_files_error(self, start: float) -> None:
        with pytest.raises(RdmfError, match=r"a\.mp4: .* the video ends at 20\.0 s"):
            ClipGrid(20.0, 2.0).part(start, None, "a.mp4")

    @pytest.mark.parametrize("clip_length", [0.0, -2.0, math.nan, math.inf])
    def test_an_impossible_clip_length_is_a_usage_error(self, clip_length: float) -> None:
        with pytest.raises(UsageError, match="--clip-length must be a number above 0"):
            ClipGrid(20.0, clip_length)


ticks = st.lists(st.integers(-500, 2000), min_size=1, max_size=60, unique=True).map(sorted)


@unhurried
@given(ticks, clip_lengths, st.sampled_from([Fraction(1, 25), Fraction(1, 1000), Fraction(1, 30)]))
def test_the_frame_of_a_clip_is_the_last_before_its_middle(
    shown: list[int], clip_length: float, time_base: Fraction
) -> None:
    grid = ClipGrid(float((shown[-1] - shown[0]) * time_base), clip_length)
    got = wanted_frames(np.array(shown), time_base, grid).tolist()
    for clip, pts in zip(grid.indices, got, strict=True):
        before = [t for t in shown if (t - shown[0]) * time_base < grid.middle(clip)]
        assert pts == (before[-1] if before else shown[0])


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Draw groups of pictures with a decoding order other than the display order, some hidden."""
    pts, flags = [], []
    for group in range(draw(st.integers(1, 8))):
        size = draw(st.integers(1, 40))
        start = len(pts)
        order = sorted(range(size), key=lambda i: (i // 4, -i if i else 0))
        pts += [start + i for i in order]
        hidden = HIDDEN * (group == 0 and draw(st.booleans()))
        flags += [KEY | hidden] + [hidden] * (size - 1)
    if all(flag & HIDDEN for flag in flags):
        flags = [flag & ~HIDDEN for flag in flags]
    columns = (np.array(pts, np.int64), np.array(pts, np.int64), np.array(flags, np.uint8))
    return Timeline(*columns, Fraction(1, 25))


@unhurried
@given(timelines(), st.data())
def test_runs_hold_every_wanted_frame_and_all_it_leans_on(
    timeline: Timeline, data: st.DataObject
) -> None:
    wanted = sorted(data.draw(st.sets(st.sampled_from(timeline.shown.tolist()), min_size=1)))
    runs = plan_runs(timeline, np.array(wanted))
    assert [pts for run in runs for pts in run.wanted] == wanted
    assert all(a.stop <= b.start for a, b in pairwise(runs))
    for run in runs:
        held = timeline.pts[run.start : run.stop]
        assert timeline.flags[run.start] & KEY
        assert set(run.wanted) <= set(held.tolist())
        assert run.start == 0 or timeline.pts[run.start] <= min(run.wanted)

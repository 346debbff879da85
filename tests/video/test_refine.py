"""Times that are moved to cuts, exact to the frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.video import refine
from rdmf_cli.video.decoders import scan
from rdmf_cli.video.refine import Place


def moved_to_cuts(scan, times, **more):
    return refine.moved_to_cuts(scan, [Place(time, **more) for time in times])


CUTS = [10.0, 19.0, 32.0, 38.0, 50.0, 57.0, 67.0]
"""The times at which the photographs of the example video change (examples/make_tour.py)."""


def test_the_cuts_of_the_example_are_met_to_the_frame(tour):
    found = scan(tour)
    away = [-1.9, -0.52, -0.04, 0.0, 0.3, 0.98, 1.95]
    times = [cut + by for cut, by in zip(CUTS, away, strict=True)]
    assert moved_to_cuts(found, times) == pytest.approx(CUTS, abs=1e-6)


def test_a_time_far_from_a_cut_stays(tour):
    times = [5.0, 25.5, 34.7, 44.0]  # 34.7: the camera moves
    assert moved_to_cuts(scan(tour), times) == times


def filmed(path: Path, pictures: list[np.ndarray], rate: int = 25) -> Path:
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in pictures:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        film.mux(stream.encode(None))
    return path


def scene(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.kron(coarse, np.ones((16, 16, 1), np.uint8))


@pytest.fixture(scope="module")
def fading(tmp_path_factory) -> Path:
    """Make three seconds of a scene, a second of cross-fade, three seconds of another scene."""
    share = np.clip((np.arange(175) - 75) / 25, 0, 1)
    pictures = [(scene(1) * (1 - s) + scene(2) * s).astype(np.uint8) for s in share]
    return filmed(tmp_path_factory.mktemp("fading") / "fading.mp4", pictures)


def test_times_go_to_the_middle_of_a_cross_fade(fading):
    times = [2.6, 3.0, 3.5, 4.0, 4.4]
    assert moved_to_cuts(scan(fading), times) == pytest.approx([3.5] * 5, abs=0.05)


def test_where_every_frame_differs_nothing_is_a_cut(tmp_path):
    video = filmed(tmp_path / "flicker.mp4", [scene(n) for n in range(80)])
    assert moved_to_cuts(scan(video), [1.0, 2.0, 2.9]) == [1.0, 2.0, 2.9]


@pytest.fixture(scope="module")
def cut_at_frames(tmp_path_factory):
    pictures = [scene(3)] * 40 + [scene(4)] * 13 + [scene(5)] * 60
    return scan(filmed(tmp_path_factory.mktemp("cut") / "cut.mkv", pictures, 30))


@settings(max_examples=25)
@given(time=st.floats(0, 3.7))
def test_the_nearest_of_two_cuts_is_taken(cut_at_frames, time):
    cuts = [float(Fraction(40, 30)), float(Fraction(53, 30))]
    near = [cut for cut in cuts if abs(cut - time) < 1.9]
    (moved,) = moved_to_cuts(cut_at_frames, [time])
    if near:
        assert min(abs(moved - cut) for cut in near) < 0.002
        assert abs(moved - time) <= min(abs(cut - time) for cut in near) + 0.002
    assert abs(moved - time) <= 2.001


def test_no_times_need_no_decoding(tour):
    assert moved_to_cuts(scan(tour), []) == []


def test_another_scene_counts_more_than_a_nearer_flash(tmp_path):
    flash = np.full_like(scene(6), 255)
    pictures = [scene(6)] * 50 + [flash] + [scene(6)] * 24 + [scene(7)] * 50
    found = scan(filmed(tmp_path / "flash.mp4", pictures))
    assert moved_to_cuts(found, [1.8, 2.5]) == [3.0, 3.0]  # the flash is at 2 s


def test_the_end_of_the_video_counts_as_a_cut(tmp_path):
    found = scan(filmed(tmp_path / "still.mp4", [scene(8)] * 130))
    assert moved_to_cuts(found, [4.0], edge=5.2) == [5.2]
    assert moved_to_cuts(found, [3.0], edge=5.2) == [3.0]  # too far away
    assert moved_to_cuts(found, [4.0]) == [4.0]


def test_a_time_stays_inside_its_part(cut_at_frames):
    cuts = [Fraction(40, 30), Fraction(53, 30)]
    assert moved_to_cuts(cut_at_frames, [1.4]) == pytest.approx([float(cuts[0])], abs=0.002)
    later = moved_to_cuts(cut_at_frames, [1.4], low=1.35)
    assert later == pytest.approx([float(cuts[1])], abs=0.002)
    assert moved_to_cuts(cut_at_frames, [1.4], low=1.35, high=1.7) == [1.4]


def test_movement_and_slow_change_are_no_cross_fades(tmp_path):
    wide = np.kron(
        np.random.default_rng(9).integers(0, 256, (6, 40, 3), np.uint8),
        np.ones((16, 16, 1), np.uint8),
    )
    panned = filmed(tmp_path / "pan.mp4", [wide[:, 4 * n : 4 * n + 128] for n in range(125)])
    assert moved_to_cuts(scan(panned), [2.0, 2.5, 3.0]) == [2.0, 2.5, 3.0]

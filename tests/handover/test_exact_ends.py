"""Moments with exact ends: which times may move, and by how much."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pytest

from rdmf_cli.handover.ends import refined
from rdmf_cli.moments.types import Answer, Features, Moment

FEATURES = Features(
    encoder="embedded", decoder="pyav", clips=2, cached=True, frames_decoded=0, frames_failed=0
)


@pytest.fixture(scope="module")
def two_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of 2.4 s and another one of 2.4 s."""
    path = tmp_path_factory.mktemp("scenes") / "two.mp4"
    draw = np.random.default_rng(0)
    scenes = [np.kron(draw.integers(0, 256, (6, 8, 3), np.uint8), np.ones((16, 16, 1), np.uint8))]
    scenes.append(255 - scenes[0])
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for n in range(120):
            image = av.VideoFrame.from_ndarray(scenes[n // 60], format="rgb24")
            film.mux(stream.encode(image))
        film.mux(stream.encode())
    return path


def answer(video: Path, *spans: tuple[float, float], clips: int = 2, **fields: float) -> Answer:
    moments = [
        Moment(
            rank=rank,
            start=start,
            end=end,
            score=0.5,
            raw_score=0.5,
            recorded_at=datetime(2024, 5, 1, 12, 0, int(start)),
        )
        for rank, (start, end) in enumerate(spans, 1)
    ]
    facts = {"duration": 4.8, "clip_length": 2.0, "presence": 1.0, **fields}
    curve = dict.fromkeys(("saliency", "saliency_raw"), (0.5,) * clips)
    return Answer(
        video=str(video), query="x", head="x", moments=moments, features=FEATURES, **curve, **facts
    )


def spans(answer: Answer) -> list[tuple[float, float]]:
    return [(round(moment.start, 3), round(moment.end, 3)) for moment in answer.moments]


def test_ends_go_to_the_cut_and_to_the_end_of_the_video(two_scenes: Path) -> None:
    """The last clip ends at 4 s, and the video at 4.8 s."""
    found = refined(answer(two_scenes, (0.0, 2.0), (2.0, 4.0)))
    assert spans(found) == [(0.0, 2.4), (2.4, 4.8)]
    assert found.moments[1].recorded_at == datetime(2024, 5, 1, 12, 0, 2, 400_000)


def test_a_start_goes_to_the_beginning_but_an_end_does_not(two_scenes: Path) -> None:
    found = refined(answer(two_scenes, (0.4, 1.2)), (None, 1.2))
    assert spans(found) == [(0.0, 1.2)]
    assert spans(refined(answer(two_scenes, (2.8, 4.4)))) == [(2.4, 4.8)]


def test_moments_stay_in_the_searched_part(two_scenes: Path) -> None:
    assert spans(refined(answer(two_scenes, (2.0, 4.0)), (None, 4.0))) == [(2.4, 4.0)]
    assert spans(refined(answer(two_scenes, (3.0, 4.0)), (2.8, None))) == [(2.8, 4.8)]
    one_clip = answer(two_scenes, (0.5, 2.0), clips=1)  # 0 to 2 s
    assert spans(refined(one_clip)) == [(0.0, 2.0)]


def test_short_clips_move_by_a_second_at_most(two_scenes: Path) -> None:
    near, far = (answer(two_scenes, (a, 4.8), clips=10, clip_length=0.5) for a in (1.5, 1.3))
    assert spans(refined(near)) == [(2.4, 4.8)]
    assert spans(refined(far)) == [(1.3, 4.8)]


def test_a_moment_that_would_be_empty_keeps_its_times(two_scenes: Path) -> None:
    assert spans(refined(answer(two_scenes, (2.2, 2.6)))) == [(2.2, 2.6)]
    assert refined(answer(two_scenes)).moments == ()

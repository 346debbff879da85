"""Many videos, one after another or several at once."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest

from rdmf_cli.errors import RdmfError
from rdmf_cli.features import VideoFeatures
from rdmf_cli.library.work import Work, extract_all

PATHS = [Path(f"{n}.mp4") for n in range(9)]


def features(clips: int) -> VideoFeatures:
    return VideoFeatures(np.zeros((clips, 2), np.float16), 2.0 * clips, 2.0, 0.0, "made-up", "none")


def extract(video: Path, *, progress=None) -> VideoFeatures:
    number = int(video.stem)
    if number == 4:
        raise ValueError("odd")
    for clip in range(number):
        progress(clip + 1, number)
    return features(number)


@pytest.mark.parametrize("jobs", [1, 3])
def test_outcomes_come_in_order_and_a_failure_is_one_of_them(jobs: int) -> None:
    told: list[Work] = []
    outcomes = list(extract_all(PATHS, extract, jobs=jobs, show=told.append))
    assert [path for path, _ in outcomes] == PATHS
    for number, (path, outcome) in enumerate(outcomes):
        if number == 4:
            assert isinstance(outcome, RdmfError)
            assert outcome.subject == str(path)
        else:
            assert isinstance(outcome, VideoFeatures)
            assert len(outcome.rows) == number
    last = told[-1]
    assert (last.done, last.videos, last.share) == (9, 9, 1.0)
    assert last.encoded == sum(range(9)) - 4
    for before, after in itertools.pairwise(told):
        assert (before.encoded, before.done) <= (after.encoded, after.done)


@pytest.mark.parametrize("jobs", [1, 3])
def test_who_stops_taking_ends_the_threads(jobs: int) -> None:
    begun: list[Path] = []
    before = threading.active_count()

    def slow(video: Path, *, progress=None) -> VideoFeatures:
        begun.append(video)
        while jobs > 1 and video.stem != "0":
            progress(1, 2)
        return features(1)

    outcomes = extract_all(PATHS, slow, jobs=jobs)
    assert next(outcomes)[0] == PATHS[0]
    outcomes.close()
    assert len(begun) < len(PATHS)
    assert threading.active_count() == before


def test_ctrl_c_in_one_of_several_reaches_the_caller() -> None:
    def show(work: Work) -> None:
        if work.encoded > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(extract_all(PATHS, extract, jobs=2, show=show))

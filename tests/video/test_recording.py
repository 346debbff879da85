"""When a video was recorded: by its metadata, or by its name."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import av
import numpy as np
import pytest

from rdmf_cli.errors import UsageError
from rdmf_cli.video.decoders import ffmpeg, scan
from rdmf_cli.video.recording import NameTime, read_recorded, recorded_in, recording_start

NOON = datetime(2024, 5, 1, 12, 0, 30, tzinfo=timezone.utc)
APPLE = "com.apple.quicktime.creationdate"


def filmed(path: Path, **tags: str) -> Path:
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as film:
        film.metadata.update(tags)
        stream = film.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(10):
            image = np.full((48, 64, 3), 20 * shade, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        film.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_creation_time_of_a_container_is_in_utc(tmp_path: Path, suffix: str) -> None:
    video = filmed(tmp_path / f"a{suffix}", creation_time="2024-05-01T12:00:30.000000Z")
    assert scan(video).info.recorded == read_recorded(video) == NOON
    assert scan(video).info.recorded.utcoffset() == timedelta(0)


def test_the_date_of_quicktime_has_a_zone_and_comes_first(tmp_path: Path) -> None:
    tags = {"creation_time": "2024-05-02T09:00:00Z", APPLE: "2024-05-01T14:00:30+0200"}
    found = scan(filmed(tmp_path / "phone.mov", **tags)).info.recorded
    assert found == NOON
    assert found.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_file_without_a_date_has_no_time(tmp_path: Path, suffix: str) -> None:
    assert scan(filmed(tmp_path / f"a{suffix}")).info.recorded is None


@pytest.mark.parametrize("zero", ["1904-01-01T00:00:00Z", "1970-01-01T00:03:20Z"])
def test_a_clock_that_was_never_set_has_no_time(tmp_path: Path, zero: str) -> None:
    video = filmed(tmp_path / "a.mkv", creation_time=zero)
    assert scan(video).info.recorded is None
    assert recorded_in({"creation_time": zero}) is None


def test_a_wrong_date_does_not_hide_a_right_one(tmp_path: Path) -> None:
    tags = {APPLE: "yesterday", "creation_time": "2024-05-01 12:00:30"}
    assert recorded_in(tags) == NOON
    assert recorded_in({}, {"creation_time": "2024-05-01T12:00:30.000000000Z"}) == NOON


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_program_reads_the_same_time(tmp_path: Path, suffix: str) -> None:
    video = filmed(tmp_path / f"a{suffix}", creation_time="2024-05-01T12:00:30Z")
    assert ffmpeg.scan_alone(video).info.recorded == NOON


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("%Y-%m-%d_%H-%M", "2024-05-01_12-34.mp4", datetime(2024, 5, 1, 12, 34)),
        ("%Y-%m-%d_%H-%M", "door 2024-05-01_12-34-59.mp4", datetime(2024, 5, 1, 12, 34)),
        ("%Y%m%d_%H%M%S", "VID_20240501_123459.mp4", datetime(2024, 5, 1, 12, 34, 59)),
        ("%Y%m%d_%H%M%S%f", "PXL_20240501_123459250.mp4", datetime(2024, 5, 1, 12, 34, 59, 250000)),
        ("%d.%m.%y %I.%M %p", "1.5.24 7.05 PM.mov", datetime(2024, 5, 1, 19, 5)),
        ("%Y%jT%H%z", "2024122T12+0000.mkv", datetime(2024, 5, 1, 12, tzinfo=timezone.utc)),
        ("%Y-%m-%d_%H-%M", "2024-13-01_12-34.mp4", None),  # month 13
        ("%Y-%m-%d_%H-%M", "12024-05-01_12-34.mp4", None),  # five digits
        ("%Y-%m-%d_%H-%M", "holiday.mp4", None),
        ("(%Y)%m%d.%H", "(2024)0501x12.mp4", None),  # a dot in the pattern stands for a dot
    ],
)
def test_a_name_tells_the_time(pattern: str, name: str, found: datetime | None) -> None:
    assert NameTime(pattern).find(name) == found


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("%H-%M", "has no date"),
        ("clip", "has no date"),
        ("%Y-%m_%H", "has no date"),
        ("%Y-%m-%d", "has no hour"),
        ("%Y-%m-%d_%H-%Q", "has an unknown directive: %Q"),
        ("%Y-%m-%d_%H-%", "has an unknown directive: %"),
        ("%Y-%m-%d_%Y-%H", "has a directive twice"),
    ],
)
def test_a_pattern_needs_a_date_and_an_hour(pattern: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        NameTime(pattern)


def test_the_name_comes_before_the_metadata_and_the_file_comes_last(tmp_path: Path) -> None:
    video = filmed(tmp_path / "2020-02-03_04-05.mkv", creation_time="2024-05-01T12:00:30Z")
    by_name = NameTime("%Y-%m-%d_%H-%M")
    assert recording_start(video, NOON.isoformat(), by_name) == datetime(2020, 2, 3, 4, 5)
    assert recording_start(video, NOON.isoformat(), NameTime("%Y%m%d%H")) == NOON
    assert recording_start(video, "", None) is None  # the features know that there is no time
    assert recording_start(video, None, None) == NOON  # features of an earlier release
    assert recording_start(tmp_path / "gone.mp4", None, None) is None

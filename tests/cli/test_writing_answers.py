"""rdmf query -o: answers written to files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ASKED = ("-q", "a red square", "-q", "a dog")


@pytest.fixture
def two(video, tmp_path) -> tuple[Path, Path]:
    other = tmp_path / "more" / "other.mp4"
    other.parent.mkdir()
    return video, Path(shutil.copy(video, other))


def test_one_subtitle_file_per_video_beside_it(run, two, tmp_path):
    result = run("query", *two, *ASKED, "-o", "{folder}/{stem}.srt")
    assert (result.returncode, result.stdout) == (0, "")
    for video in two:
        text = video.with_suffix(".srt").read_text(encoding="utf-8")
        assert "a red square" in text
        assert "a dog" in text
        assert f"written: {video.with_suffix('.srt')}" in result.stderr


def test_several_videos_in_one_subtitle_file_are_a_usage_error(run, two):
    for form in ("srt", "vtt", "chapters", "ffmetadata"):
        result = run("query", *two, *ASKED, "--format", form)
        assert result.returncode == 2
        assert f"-o '{{stem}}.{form}'" in result.stderr
        assert result.stdout == ""


def test_a_folder_of_several_videos_is_found_out_too(run, two, tmp_path):
    result = run("query", tmp_path, *ASKED, "--recursive", "-o", tmp_path / "all.srt")
    assert result.returncode == 2
    assert "-o '{stem}.srt'" in result.stderr
    assert not (tmp_path / "all.srt").exists()


def test_one_timeline_over_all_videos(run, two, tmp_path):
    path = tmp_path / "found.otio"
    assert run("query", *two, *ASKED, "-o", path).returncode == 0
    (track, *_) = json.loads(path.read_text(encoding="utf-8"))["tracks"]["children"]
    assert {clip["media_reference"]["name"] for clip in track["children"]} == {
        video.name for video in two
    }


def test_the_format_is_that_of_the_ending_or_as_told(run, video, tmp_path):
    run("query", video, *ASKED, "-o", tmp_path / "a.jsonl")
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 2
    run("query", video, *ASKED, "--format", "chapters", "-o", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text().startswith("0:00 ")
    result = run("query", video, *ASKED, "-o", tmp_path / "b.txt")
    assert result.returncode == 2
    assert "give --format" in result.stderr


def test_a_file_of_the_user_is_kept(run, video, tmp_path):
    path = tmp_path / "mine.srt"
    path.write_text("mine")
    result = run("query", video, *ASKED, "-o", path)
    assert result.returncode == 2
    assert "--force" in result.stderr
    assert path.read_text() == "mine"
    assert run("query", video, *ASKED, "-o", path, "--force").returncode == 0
    assert run("query", video, *ASKED, "-o", path).returncode == 0  # now the file belongs to rdmf


def test_a_video_is_never_replaced(run, video):
    before = video.read_bytes()
    result = run("query", video, *ASKED, "--format", "srt", "-o", "{folder}/{name}", "--force")
    assert result.returncode == 2
    assert video.read_bytes() == before


def test_two_videos_of_one_name_need_their_folders(run, video, tmp_path):
    twin = tmp_path / "more" / video.name
    twin.parent.mkdir()
    shutil.copy(video, twin)
    result = run("query", video, twin, *ASKED, "-o", "{stem}.srt", cwd=tmp_path)
    assert result.returncode == 2
    assert "{folder}" in result.stderr


@pytest.mark.parametrize("name", ["{rank}.srt", "{stem.srt", "{stem}}.srt"])
def test_a_field_that_there_is_not_is_a_usage_error(run, video, name):
    result = run("query", video, *ASKED, "-o", name)
    assert result.returncode == 2
    assert "{stem}, {name}, {folder}" in result.stderr


def test_what_some_videos_gave_is_written_where_others_fail(run, video, tmp_path):
    path = tmp_path / "found.edl"
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    result = run("query", broken, video, *ASKED, "-o", path)
    assert result.returncode == 3
    assert "square.mp4" in path.read_text()

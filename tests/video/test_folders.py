"""The videos of a folder: chosen by suffix, sorted, and a note on skipped files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rdmf_cli.errors import RdmfError
from rdmf_cli.video import find_videos
from rdmf_cli.video.folder import list_folder

RARER = [
    suffix
    for row in (
        (
            "m2v",
            "divx",
            "asf",
            "f4v",
            "qt",
            "dv",
            "mod",
            "tod",
            "lrv",
            "insv",
            "mpe",
            "ogm",
            "rmvb",
        ),
        ("wtv", "rm", "m1v", "mpv", "m2t", "trp", "dvr-ms", "mp4v", "xvid", "vro", "3gpp", "mk3d"),
        ("nut", "ivf", "y4m", "h264", "h265", "hevc", "mjpeg", "360", "lrf", "dav", "amv", "gxf"),
    )
    for suffix in row
]


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def touch(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_videos_are_listed_by_suffix_sorted_not_below(tmp_path: Path) -> None:
    touch(tmp_path, "b.MP4", "a.mkv", "notes.txt", "c.webm", "below.mp4/d.mp4")
    assert names(find_videos(tmp_path)) == ["a.mkv", "b.MP4", "c.webm"]


@pytest.mark.parametrize("suffix", RARER)
def test_rarer_suffixes_are_videos(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, f"a.{suffix}", f"b.{suffix.upper()}")
    assert names(find_videos(tmp_path)) == [f"a.{suffix}", f"b.{suffix.upper()}"]


def test_hidden_files_and_folders_are_left_out_and_not_counted(tmp_path: Path) -> None:
    """macOS writes ._x.mov beside x.mov on disks of other systems; it holds only attributes."""
    touch(
        tmp_path, "x.mov", "._x.mov", ".DS_Store", ".trash/y.mov", "inside/._z.mov", "inside/z.mov"
    )
    listing = list_folder(tmp_path, recursive=True)
    assert names(listing.videos) == ["z.mov", "x.mov"]
    assert listing.passed_over == ""


def test_recursive_looks_into_folders_inside(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4", "a/c.mp4", "a/deep/d.mp4", "a/notes.txt")
    found = [str(path.relative_to(tmp_path)) for path in find_videos(tmp_path, recursive=True)]
    assert found == [os.path.join("a", "c.mp4"), os.path.join("a", "deep", "d.mp4"), "b.mp4"]


def test_links_that_lead_in_circles_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "a/b.mp4")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert names(find_videos(tmp_path, recursive=True)) == ["b.mp4"]


def test_what_is_passed_over_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.srt", "c.srt", "LICENSE", "more/d.mp4", "other/e.mp4")
    said = list_folder(tmp_path).passed_over
    assert "3 files without a video suffix (2 .srt, 1 without a suffix)" in said
    assert "2 folders inside (--recursive searches there)" in said
    assert list_folder(tmp_path / "more").passed_over == ""


def test_a_directory_without_videos_is_an_error_that_says_what_is_there(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "inside/a.mp4")
    with pytest.raises(RdmfError, match="no videos in this folder") as caught:
        find_videos(tmp_path)
    assert "1 file without a video suffix (1 .txt)" in caught.value.what
    assert "--recursive" in caught.value.what


def test_a_directory_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RdmfError, match="no such folder"):
        find_videos(tmp_path / "missing")


def test_listing_names_imports_nothing_heavy() -> None:
    script = "import sys, rdmf_cli.video.folder; print('numpy' in sys.modules, 'av' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["False", "False"]


def test_the_subtitles_of_a_video_are_not_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "film.mp4", "film.srt", "film.en.vtt", "other.srt", "film.txt")
    assert names(list_folder(tmp_path).others) == ["film.txt", "other.srt"]

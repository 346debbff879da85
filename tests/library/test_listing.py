"""Which videos a list of paths stands for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rdmf_cli.errors import RdmfError
from rdmf_cli.library.listing import list_videos

FILES = ("a.mp4", "b/c.mkv", "b/raw/d.mp4", "b/raw/e.mov", "f/raw.mp4", "b/notes.txt", ".h/i.mp4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def listed(folder: Path, *paths: Path, exclude: tuple[str, ...] = ()) -> list[str]:
    found = list(list_videos(paths or [folder], exclude))
    assert not [error for error in found if isinstance(error, RdmfError)]
    return [path.relative_to(folder).as_posix() for path in found]


def test_a_folder_stands_for_all_videos_below_it(folder: Path) -> None:
    assert listed(folder) == ["a.mp4", "b/c.mkv", "b/raw/d.mp4", "b/raw/e.mov", "f/raw.mp4"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("raw", ["a.mp4", "b/c.mkv", "f/raw.mp4"]),
        ("raw/", ["a.mp4", "b/c.mkv", "f/raw.mp4"]),
        ("raw*", ["a.mp4", "b/c.mkv"]),
        ("*.mp4", ["b/c.mkv", "b/raw/e.mov"]),
        ("b/raw/*", ["a.mp4", "b/c.mkv", "f/raw.mp4"]),
        ("[a-c].*", ["b/raw/d.mp4", "b/raw/e.mov", "f/raw.mp4"]),
        ("A.MP4", ["a.mp4", "b/c.mkv", "b/raw/d.mp4", "b/raw/e.mov", "f/raw.mp4"]),
    ],
)
def test_patterns_leave_out_names_or_whole_paths(folder: Path, pattern: str, left: list) -> None:
    assert listed(folder, exclude=(pattern,)) == left


def test_a_file_that_is_named_is_never_left_out(folder: Path) -> None:
    named = folder / "b/raw/d.mp4"
    assert listed(folder, named, folder / "f", exclude=("raw*", "*.mp4")) == ["b/raw/d.mp4"]


def test_each_video_comes_once_in_the_order_given(folder: Path) -> None:
    (folder / "z.mp4").symlink_to(folder / "a.mp4")
    paths = folder / "f", folder / "b/c.mkv", folder / "z.mp4", folder
    assert listed(folder, *paths) == ["f/raw.mp4", "b/c.mkv", "z.mp4", "b/raw/d.mp4", "b/raw/e.mov"]


def test_what_is_no_video_or_not_there_is_an_error_among_the_others(folder: Path) -> None:
    empty, gone = folder / "empty", folder / "gone.mp4"
    empty.mkdir()
    first, second, third = list_videos([empty, gone, folder / "f"])
    assert isinstance(first, RdmfError)
    assert first.subject == os.fspath(empty)
    assert second == gone  # faults of a file are reported when it is opened
    assert third == folder / "f/raw.mp4"


def test_a_name_that_no_system_takes_is_a_file_to_open() -> None:
    assert list(list_videos(["a\0b.mp4"])) == [Path("a\0b.mp4")]

"""The catalogue stores changes completely, whenever the program ends."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError
from rdmf_cli.library.catalogue import Catalogue, Root, State, Video

VIDEO = Video(
    "/films/a.mp4", State.indexed, "", 10, 20, "abc", 12.5, 6, {"content": "abc", "start": None}
)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "catalogue.sqlite")


def without_number(video: Video | None) -> Video | None:
    return video and Video(**{**vars(video), "number": 0})


def test_what_is_kept_is_found_after_opening_again(catalogue: Catalogue, tmp_path: Path) -> None:
    failed = Video("/films/b.mp4", State.failed, "no video stream in this file")
    with catalogue.change():
        for video in (VIDEO, failed):
            catalogue.keep(video)
        catalogue.keep_root(Root("/films", ("raw", "*.tmp")))
        catalogue.keep_fact("settings", "{}")
    catalogue.close()
    again = Catalogue(tmp_path / "catalogue.sqlite")
    assert [without_number(video) for video in again.videos()] == [VIDEO, failed]
    assert without_number(again.find("/films/b.mp4")) == failed
    assert again.find("/films/c.mp4") is None
    assert again.roots() == [Root("/films", ("raw", "*.tmp"))]
    assert (again.fact("settings"), again.fact("other")) == ("{}", None)


def test_a_video_keeps_its_number_and_a_number_is_not_used_again(catalogue: Catalogue) -> None:
    for name in ("a", "b"):
        catalogue.keep(Video(name, State.indexed))
    first, second = (video.number for video in catalogue.videos())
    catalogue.keep(Video("a", State.missing))
    assert catalogue.find("a") == Video("a", State.missing, number=first)
    catalogue.forget("b")
    catalogue.keep(Video("c", State.indexed))
    found = catalogue.find("c")
    assert found is not None
    assert found.number > second


def test_a_change_that_ends_early_changes_nothing(catalogue: Catalogue) -> None:
    catalogue.keep(VIDEO)

    def ends_early() -> None:
        with catalogue.change():
            catalogue.forget(VIDEO.path)
            catalogue.keep(Video("other", State.indexed))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ends_early()
    assert [video.path for video in catalogue.videos()] == [VIDEO.path]


@pytest.mark.skipif(sys.platform == "win32", reason="names of files are text there")
@given(st.binary(min_size=1, max_size=20).filter(lambda name: b"\0" not in name))
def test_any_name_of_a_file_comes_back(name: bytes) -> None:
    catalogue = Catalogue(Path(":memory:"))
    path = os.fsdecode(name)
    catalogue.keep(Video(path, State.indexed))
    assert [video.path for video in catalogue.videos()] == [path]


def test_a_damaged_catalogue_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(RdmfError, match=r"catalogue\.sqlite.*index again"):
        Catalogue(path)


def test_a_catalogue_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(RdmfError, match="another release"):
        Catalogue(path)
    assert path.read_bytes() == before

"""Which words are videos and which are sentences, and which videos a folder stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdmf_cli.cli.inputs import expand_videos, one_video, split_arguments
from rdmf_cli.errors import RdmfError, UsageError


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("film.mp4", "clips/a.mp4", "clips/b.mkv", "cat/notes.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    return tmp_path


def test_names_of_videos_and_sentences_are_told_apart() -> None:
    words = ("film.mp4", "clips", "no such.mkv", "a dog", "a man. He runs", "what is 3:1")
    videos, sentences = split_arguments(words, (), None)
    assert videos == ["film.mp4", "clips", "no such.mkv"]
    assert sentences == ["a dog", "a man. He runs", "what is 3:1"]


ADDRESSES = ("https://example.org/film.mp4", "http://example.org/watch?v=1", "rtsp://camera/1")


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_neither_a_file_nor_a_sentence(address: str) -> None:
    videos, sentences = split_arguments(("film.mp4", address, "a dog"), (), None)
    assert (videos, sentences) == (["film.mp4", address], ["a dog"])
    path, error = expand_videos(videos)
    assert path == Path("film.mp4")
    assert isinstance(error, RdmfError)
    assert str(error) == f"{address} is an address, not a file; download it first"
    with pytest.raises(RdmfError, match="download it first"):
        one_video(address)


def test_the_address_of_a_file_here_is_told_to_be_one() -> None:
    with pytest.raises(RdmfError, match="leave out file://"):
        one_video("file:///film.mp4")


def test_a_sentence_may_hold_an_address() -> None:
    sentence = "a screen that shows https://example.org"
    assert split_arguments(("film.mp4", sentence), (), None) == (["film.mp4"], [sentence])


def test_a_folder_that_is_named_like_the_only_question_is_pointed_out() -> None:
    with pytest.raises(UsageError, match="no query is given") as caught:
        split_arguments(("film.mp4", "cat"), (), None)
    assert "'cat' names a file or folder here; to ask it: --query 'cat'" in caught.value.todo


def test_a_folder_that_is_named_like_one_of_the_questions_is_pointed_out(capsys) -> None:
    videos, sentences = split_arguments(("film.mp4", "a dog", "cat"), (), None)
    assert (videos, sentences) == (["film.mp4", "cat"], ["a dog"])
    said = capsys.readouterr().err
    assert (
        said
        == "note: 'cat' is read as the name of a file or folder; to search for it: --query 'cat'\n"
    )


@pytest.mark.parametrize(
    ("words", "queries"),
    [(("clips", "a dog"), ()), (("clips", "film.mp4", "a dog"), ()), (("film.mp4",), ("cat",))],
)
def test_an_ordinary_command_is_not_commented(words, queries, capsys) -> None:
    split_arguments(words, queries, None)
    assert capsys.readouterr().err == ""


def test_what_a_folder_passed_over_is_said_once(in_a_folder: Path, capsys) -> None:
    found = list(expand_videos(["clips", "."]))
    assert found == [Path("clips/a.mp4"), Path("clips/b.mkv"), Path("film.mp4")]
    said = capsys.readouterr().err
    assert said == "note: .: skipped 2 folders inside (--recursive searches there)\n"


def test_recursive_looks_into_the_folders_inside(capsys) -> None:
    found = list(expand_videos(["."], recursive=True))
    assert found == [Path("clips/a.mp4"), Path("clips/b.mkv"), Path("film.mp4")]
    assert "skipped 1 file without a video suffix (1 .txt)" in capsys.readouterr().err


def test_a_folder_without_videos_is_an_error_among_others() -> None:
    path, error = expand_videos(["film.mp4", "cat"])
    assert path == Path("film.mp4")
    assert isinstance(error, RdmfError)
    assert "no videos in this folder (left out: 1 file" in error.what

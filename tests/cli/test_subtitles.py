"""--subtitles: what is said is found, quoted and searched, from the command line and a library."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_shell import run_here

from rdmf_cli import search
from rdmf_cli.resources import example_video

LINES = """1
00:00:02,000 --> 00:00:05,000
the parliament has voted on the new budget

2
00:00:40,000 --> 00:00:43,500
first fry the onions and then add the broth

"""
QUERY = "soup with onions"


@pytest.fixture
def tour(tmp_path: Path) -> Path:
    shutil.copy(example_video(), tmp_path / "tour.mp4")
    return tmp_path / "tour.mp4"


def ask(*words: str) -> tuple[int, str, str]:
    done = run_here("query", "--encoder", "embedded", *words)
    return done.returncode, done.stdout, done.stderr


def answer(*words: str) -> dict:
    code, out, err = ask(*words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_file_beside_the_video_is_searched(tour):
    tour.with_suffix(".srt").write_text(LINES)
    best = answer(str(tour), QUERY)["moments"][0]
    assert (best["start"], best["end"]) == (40.0, 43.5)
    (quote,) = best["said"]
    assert quote["text"] == "first fry the onions and then add the broth"
    assert quote["chance"] > 0.5


def test_the_table_quotes_what_is_said_and_when(tour):
    tour.with_suffix(".srt").write_text(LINES)
    code, out, _ = ask(str(tour), QUERY)
    assert code == 0
    assert '#1 said at 0:40: "first fry the onions' in out


def test_none_and_no_file_are_the_same_answer(tour):
    silent = answer(str(tour), QUERY)
    tour.with_suffix(".srt").write_text(LINES)
    for one in (told := answer(str(tour), QUERY, "--subtitles", "none")), silent:
        del one["timings"], one["features"]
    assert told == silent


def test_a_named_file_is_searched(tour, tmp_path):
    (tmp_path / "elsewhere.vtt").write_text("WEBVTT\n\n00:20.000 --> 00:22.000\nonion soup\n")
    found = answer(str(tour), "onion soup", "--subtitles", str(tmp_path / "elsewhere.vtt"))
    assert [q["text"] for q in found["moments"][0]["said"]] == ["onion soup"]


def test_a_named_file_that_is_missing_is_an_error(tour):
    code, _, err = ask(str(tour), QUERY, "--subtitles", "no.srt")
    assert code == 1
    assert "no.srt: the subtitles cannot be read" in " ".join(err.split())


def test_a_named_file_for_several_videos_is_a_wrong_command(tour):
    code, _, err = ask(str(tour), str(tour.parent), QUERY, "--subtitles", "a.srt")
    assert code == 2
    assert "single video" in " ".join(err.split())


def test_a_file_that_is_no_subtitles_is_a_warning(tour):
    tour.with_suffix(".srt").write_text("nothing")
    code, _, err = ask(str(tour), "a cat", "--json")
    assert code == 0
    assert "is not used" in " ".join(err.split())


def test_the_part_that_is_searched_has_its_lines_alone(tour):
    tour.with_suffix(".srt").write_text(LINES)
    found = answer(str(tour), QUERY, "--start", "10", "--end", "30")
    assert not any(moment["said"] for moment in found["moments"])


def test_a_search_over_videos_and_over_a_library_finds_what_is_said(tour, tmp_path):
    shutil.copy(tour, tmp_path / "copy.mp4")
    (tmp_path / "copy.mp4").open("ab").write(b"\0" * 16)  # another content
    (tmp_path / "copy.srt").write_text(LINES)
    chosen = {"encoder": "embedded", "top_k": 2}
    (best, _) = search([tmp_path], QUERY, **chosen)
    assert best.video.endswith("copy.mp4")
    assert (best.start, best.end, best.convinces) == (40.0, 43.5, True)
    assert best.said[0].text.startswith("first fry the onions")
    library = str(tmp_path / "library")
    made = ["index", str(tour), str(tmp_path / "copy.mp4"), "--library", library]
    assert run_here(*made, "--encoder", "embedded").returncode == 0
    assert search([], QUERY, library=library, top_k=1)[0].said == best.said
    (tmp_path / "copy.srt").write_text(LINES.replace("onions", "carrots"))
    assert run_here("index", "--library", library).returncode == 0
    assert "carrots" in search([], "soup with carrots", library=library, top_k=1)[0].said[0].text
    silent = search([], QUERY, library=library, top_k=1, subtitles="none")
    assert silent[0].said == ()


def test_words_find_a_video_that_its_pictures_would_not_make_a_candidate(tour, tmp_path):
    shutil.copy(tour, tmp_path / "copy.mp4")
    (tmp_path / "copy.mp4").open("ab").write(b"\0" * 16)
    (tmp_path / "copy.srt").write_text(LINES)
    hits = search([tmp_path], QUERY, encoder="embedded", candidates=1)
    assert hits[0].video.endswith("copy.mp4")

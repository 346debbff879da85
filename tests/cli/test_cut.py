"""rdmf cut, as typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import pytest

CAT = "the face of a cat"
NOT_THERE = "an elephant in a submarine"


def seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        return container.duration / 1e6


def test_the_best_moment_is_cut_and_its_path_printed(run, cached_tour, tmp_path):
    result = run("cut", cached_tour, CAT, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "tour_1.mp4\n")
    answer = json.loads(run("query", cached_tour, CAT, "--json").stdout)
    best = answer["moments"][0]
    assert seconds(tmp_path / "tour_1.mp4") == pytest.approx(best["end"] - best["start"], abs=0.05)


def test_fields_name_the_files(run, cached_tour, tmp_path):
    name = "{stem} {rank:02d} {query} {start:.0f}-{end:.0f} {score}.mkv"
    result = run("cut", cached_tour, CAT, "-k", 2, "-o", name, cwd=tmp_path)
    assert result.returncode == 0
    paths = result.stdout.splitlines()
    assert sorted(paths) == sorted(path.name for path in tmp_path.glob("*.mkv"))
    assert [path[:25] for path in paths] == [f"tour 0{n} the_face_of_a_cat" for n in (1, 2)]


def test_what_is_probably_not_there_is_not_cut(run, cached_tour, tmp_path):
    result = run("cut", cached_tour, NOT_THERE, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (4, "")
    assert "presence" in result.stderr
    assert "--anyway" in result.stderr
    assert not list(tmp_path.glob("*.mp4"))
    assert run("cut", cached_tour, NOT_THERE, "--anyway", cwd=tmp_path).returncode == 0


def test_one_of_two_queries_is_enough(run, cached_tour, tmp_path):
    result = run("cut", cached_tour, "-q", CAT, "-q", NOT_THERE, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "tour_the_face_of_a_cat_1.mp4\n")
    assert NOT_THERE in result.stderr


def test_a_file_of_the_user_is_kept(run, cached_tour, tmp_path):
    mine = tmp_path / "tour_1.mp4"
    mine.write_text("mine")
    result = run("cut", cached_tour, CAT, cwd=tmp_path)
    assert result.returncode == 2
    assert "--force" in result.stderr
    assert mine.read_text() == "mine"
    assert run("cut", cached_tour, CAT, "--force", cwd=tmp_path).returncode == 0
    assert run("cut", cached_tour, CAT, "--pad", 1, cwd=tmp_path).returncode == 0  # rdmf's own


def test_the_video_itself_is_never_replaced(run, cached_tour, tmp_path):
    video = Path(shutil.copy(cached_tour, tmp_path / "film.mp4"))
    before = video.read_bytes()
    result = run("cut", video, CAT, "-o", "{folder}/{stem}.mp4", "--force")
    assert result.returncode == 2
    assert video.read_bytes() == before


@pytest.mark.parametrize("name", ["{stem}.mp4", "cut.mp4"])
def test_two_moments_of_one_name_are_refused_before_any_is_written(
    run, cached_tour, tmp_path, name
):
    result = run("cut", cached_tour, CAT, "-k", 2, "-o", name, cwd=tmp_path)
    assert result.returncode == 2
    assert "{rank}" in result.stderr
    assert not list(tmp_path.glob("*.mp4"))


@pytest.mark.parametrize("name", ["{rank}", "{rank}.gif", "{place}.mp4", "{rank:q}.mp4"])
def test_a_name_that_cannot_be_is_a_usage_error(run, cached_tour, tmp_path, name):
    result = run("cut", cached_tour, CAT, "-o", name, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""


def test_a_copy_says_how_much_earlier_it_starts(run, cached_tour, tmp_path):
    result = run("cut", cached_tour, CAT, "--copy", cwd=tmp_path)
    assert result.returncode == 0
    assert "s earlier, at the key frame before the moment" in result.stderr


def test_answers_come_from_a_pipe(run, cached_tour, tmp_path):
    answers = run("query", cached_tour, "-q", CAT, "-q", "old coins", "-k", 2, "--json").stdout
    error = json.dumps({"schema": "rdmf.error/1", "error": {}})
    result = run("cut", "-", stdin=f"{answers}\n{error}\n", cwd=tmp_path)
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == sum(
        len(json.loads(line)["moments"]) for line in answers.splitlines()
    )
    only = run("cut", "-", "-k", 1, "-o", "b_{query}.mp4", stdin=answers, cwd=tmp_path)
    assert only.stdout.splitlines() == ["b_the_face_of_a_cat.mp4", "b_old_coins.mp4"]


@pytest.mark.parametrize("text", ["", "no JSON\n", '{"schema": "rdmf.answer/1"}\n', "[1]\n"])
def test_what_is_no_answer_on_stdin_is_said(run, text):
    result = run("cut", "-", stdin=text)
    assert result.returncode in (1, 2)
    assert "rdmf query" in result.stderr


def test_a_montage_alone(run, cached_tour, tmp_path):
    result = run(
        "cut", cached_tour, "-q", CAT, "-q", "old coins", "--montage", "all.mp4", cwd=tmp_path
    )
    assert (result.returncode, result.stdout) == (0, "all.mp4\n")
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["all.mp4"]
    assert seconds(tmp_path / "all.mp4") > 15


def test_some_videos_fail_and_the_others_are_cut(run, cached_tour, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    result = run("cut", broken, cached_tour, CAT, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (3, "tour_1.mp4\n")
    assert "broken.mp4" in result.stderr

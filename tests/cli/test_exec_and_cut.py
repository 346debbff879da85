"""--exec and --cut: hits are passed to a program, or written as videos."""

from __future__ import annotations

import json
import os
import shutil
import sys

import av
import pytest

CAT = "the face of a cat"
NAMES = (
    "plain.mp4",
    "two words.mp4",
    'it\'s "quoted".mp4',
    "new\nline.mp4",
    "-rf.mp4",
    "$(touch x);&|*?.mp4",
    "{path} %s.mp4",
    "кошка.mp4",
)


def told(path) -> list[list[str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def command(tmp_path):
    """A command for --exec that records its arguments, and the file with the record."""
    program, out = tmp_path / "write down.py", tmp_path / "told"
    program.write_text(
        "import json, os, sys\n"
        f"print(json.dumps([*sys.argv[1:], os.environ['RDMF_HIT_PATH']]), "
        f"file=open({str(out)!r}, 'a', encoding='utf-8'))\n"
        "print('said by the program')\n"
        "sys.exit(7 if 'fail' in sys.argv[-1] else 0)\n"
    )
    return f"{sys.executable} '{program}' {{path}} {{start}} {{end}} {{query}}", out


def test_query_runs_the_command_for_each_moment(run_in_shell, cached_tour, tmp_path, command):
    typed, out = command
    asked = ("query", cached_tour, CAT, "-k", "2", "--json", "--exec", typed)
    done = run_in_shell(*asked)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)  # without output of the program
    assert "said by the program" in done.stderr
    assert told(out) == [
        [str(cached_tour), f"{m['start']:.3f}", f"{m['end']:.3f}", CAT, str(cached_tour)]
        for m in answer["moments"]
    ]


def test_names_and_queries_reach_the_command_whole(run, video, tmp_path, command):
    typed, out = command
    folder, query = tmp_path / "films", "-x '$(touch y)' {start}"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(video, folder / name)
    done = run("search", ".", "-q", query, "-k", "20", "--exec", typed, cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = told(out)
    assert {path for path, *_ in rows} == {str(folder / name) for name in NAMES}
    for path, start, end, asked, about in rows:
        assert (asked, about) == (query, path)
        assert float(start) < float(end)
    assert {*os.listdir(folder)} == {*NAMES}  # no part of a name was run by a shell


def test_numbers_take_the_formats_of_python(run, cached_tour, tmp_path, command):
    typed, out = command
    program = typed.partition(" {path}")[0]
    fields = "{start} {start:.1f} {end:06.2f} {rank:02d} {score:.0%} {presence:.2f} x{query:>20}"
    done = run("query", cached_tour, CAT, "-k", "1", "--json", "--exec", f"{program} {fields}")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    (moment,) = answer["moments"]
    assert told(out)[0][:-1] == [
        f"{moment['start']:.3f}",
        f"{moment['start']:.1f}",
        f"{moment['end']:06.2f}",
        "01",
        f"{moment['score']:.0%}",
        f"{answer['presence']:.2f}",
        f"x{CAT:>20}",
    ]


EMPTY = (
    ("search", "films", CAT, "--cut", ""),
    ("search", "films", CAT, "--cut="),
    ("cut", "films/square.mp4", CAT, "-o", ""),
    ("cut", "films/square.mp4", CAT, "--montage", ""),
    ("query", "films/square.mp4", CAT, "--html="),
    ("extract", "films", "--out", ""),
    ("extract", ""),
    ("index", "films", "--library", ""),
    ("mcp", "films", "--cuts", ""),
    ("weights", "fetch", ""),
)


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_an_empty_name_is_refused_and_writes_nothing(run, video, tmp_path, words):
    folder = tmp_path / "films"
    folder.mkdir()
    shutil.copy(video, folder / "square.mp4")
    before = sorted(tmp_path.rglob("*"))
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    named = next((w.rstrip("=") for w in reversed(words) if w.startswith("-")), "an argument")
    assert done.stderr == f"error: {named} is empty; give a value\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_failing_command_is_a_warning_and_exit_3(run, video, tmp_path, command):
    typed, out = command
    for asked in (("query", video, "fail"), ("search", video, "fail")):
        done = run(*asked, "--exec", typed)
        assert done.returncode == 3
        warned = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
        for rank, line in enumerate(warned, 1):
            assert f": ended with exit code 7 for moment {rank} (" in line
            assert f" s) of {video}; run this command alone" in line
        assert warned
        # The answer is printed in any case; a long path continues in the next line.
        assert "square.mp4" in "".join(done.stdout.split())
    assert len(told(out)) >= 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--exec", "no-such-program-here {path}"), "there is no program"),
        (("--exec", "true {what}"), "unknown field"),
        (("--exec", "true {path.parent}"), "unknown field"),
        (("--exec", "true '"), "cannot be read"),
        (("--exec", "true {start:q}"), "--exec {start:q} cannot be filled in"),
        (("--exec", "true {rank:.1x}"), "--exec {rank:.1x} cannot be filled in"),
        (("--exec", "true {path:.1f}"), "--exec {path:.1f} cannot be filled in"),
        (("--exec", ""), "--exec is empty"),
    ],
)
@pytest.mark.parametrize("command_name", ["query", "search"])
def test_a_wrong_command_is_an_error_before_any_work(run, video, command_name, words, said):
    done = run(command_name, video, CAT, *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_video_on_stdin_has_no_path(run):
    assert "save it" in run("query", "-", CAT, "--exec", "true {path}").stderr


@pytest.fixture
def films(cached_tour, video, tmp_path):
    folder = tmp_path / "films {may}"
    folder.mkdir()
    shutil.copy(cached_tour, folder / "a 'tour'.mp4")
    shutil.copy(video, folder / "square.mp4")
    return folder


def test_search_cuts_its_hits(run, films, tmp_path):
    clips = tmp_path / "clips {here}"
    done = run("search", films, CAT, "--json", "-k", "1", "--cut", clips)
    assert done.returncode == 0, done.stderr
    (hit,) = map(json.loads, done.stdout.splitlines())
    (clip,) = clips.iterdir()
    assert clip.name == "a 'tour'_1.mp4"
    assert f"written: {clip}" in done.stderr
    with av.open(str(clip)) as file:
        seconds = file.duration / 1e6
    assert seconds == pytest.approx(hit["end"] - hit["start"], abs=0.1)
    mine = b"the user's own"
    clip.write_bytes(mine)
    again = run("search", films, CAT, "-k", "1", "--cut", clips)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert clip.read_bytes() == mine
    assert run("search", films, CAT, "-k", "1", "--cut", clips, "--force").returncode == 0
    assert clip.read_bytes() != mine


def test_cuts_in_the_searched_folder_are_not_searched(run, films):
    clips = films / "clips"
    asked = ("search", films, CAT, "--json", "-k", "1", "--cut", clips)
    first, second = (run(*asked) for _ in range(2))
    assert second.returncode == 0, second.stderr
    assert json.loads(second.stdout)["video"] == json.loads(first.stdout)["video"]
    assert [clip.name for clip in clips.iterdir()] == ["a 'tour'_1.mp4"]
    assert "clips" in run("search", clips, CAT, "--json", "-k", "1").stdout  # they can be searched


def test_what_is_probably_absent_is_not_cut(run, films, tmp_path):
    done = run("search", films / "square.mp4", CAT, "--cut", tmp_path / "clips")
    assert done.returncode == 4
    assert "not cut:" in done.stderr
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_folder_that_cannot_be_made(run, films):
    done = run("search", films, CAT, "--cut", films / "square.mp4" / "clips")
    assert done.returncode == 1
    assert "square.mp4" in done.stderr
    assert done.stdout == ""

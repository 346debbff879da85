"""rdmf cut on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import pytest
from sample_answers import sample_answer

from rdmf_cli import cut
from rdmf_cli.errors import ExitCode, RdmfError
from rdmf_cli.moments.types import Moment
from rdmf_cli.outputs.json_lines import json_line

ASKED = ("a red square", "--anyway")
SPANS = [(1.0, 2.0), (3.4, 4.0)]


def seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        return container.duration / 1e6


@pytest.fixture
def answers(video):
    """JSON Lines of answers on the short video, with the requested queries and presence."""

    def told(presence: float = 0.9, queries: tuple[str, ...] = ("a red square",)) -> str:
        moments = [
            Moment(rank=n, start=a, end=b, score=1 / (n + 1), raw_score=0.0)
            for n, (a, b) in enumerate(SPANS, 1)
        ]
        facts = {"video": str(video), "presence": presence, "moments": moments}
        return "".join(json_line(sample_answer(3, query=q, **facts)) + "\n" for q in queries)

    return told


def test_the_best_moment_is_cut_and_its_path_printed(run, video, tmp_path):
    result = run("cut", video, *ASKED, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "square_1.mp4\n")
    best = json.loads(run("query", video, ASKED[0], "--json").stdout)["moments"][0]
    assert seconds(tmp_path / "square_1.mp4") == pytest.approx(
        best["end"] - best["start"], abs=0.21
    )


def test_answers_come_from_a_pipe(run, answers, tmp_path):
    error = json.dumps({"schema": "rdmf.error/1", "error": {}})
    result = run("cut", "-", stdin=f"{error}\n{answers()}\n", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "square_1.mp4\nsquare_2.mp4\n")
    lengths = [seconds(tmp_path / name) for name in result.stdout.split()]
    assert lengths == pytest.approx([1.0, 0.6])
    best = run("cut", "-", "-k", 1, "--pad", 0.4, "-o", "p.mkv", stdin=answers(), cwd=tmp_path)
    assert best.stdout == "p.mkv\n"
    assert seconds(tmp_path / "p.mkv") == pytest.approx(1.8, abs=0.01)


def test_several_queries_stand_in_the_names(run, answers, tmp_path):
    text = answers(queries=("a red square", "a: b?"))
    result = run("cut", "-", "-k", 1, stdin=text, cwd=tmp_path)
    assert result.stdout.split() == ["square_a_red_square_1.mp4", "square_a_b_1.mp4"]


def test_fields_name_the_files(run, answers, tmp_path):
    name = "{stem} {rank:02d} {query} {start:.0f}-{end} {score}.mkv"
    result = run("cut", "-", "-o", name, stdin=answers(), cwd=tmp_path)
    paths = ["square 01 a_red_square 1-2.0 0.5.mkv", "square 02 a_red_square 3-4.0 0.33.mkv"]
    assert result.stdout.splitlines() == paths
    assert sorted(path.name for path in tmp_path.glob("*.mkv")) == paths


def test_what_is_probably_not_there_is_not_cut(run, answers, tmp_path):
    result = run("cut", "-", stdin=answers(presence=0.19), cwd=tmp_path)
    assert (result.returncode, result.stdout) == (4, "")
    assert "probably not in this video (presence 0.19)" in result.stderr
    assert "--anyway" in result.stderr
    assert list(tmp_path.glob("square_*")) == []
    result = run("cut", "-", "--anyway", stdin=answers(presence=0.19), cwd=tmp_path)
    assert result.returncode == 0


def test_one_of_two_queries_is_enough(run, answers, tmp_path):
    text = answers() + answers(presence=0.1, queries=("a dog",))
    result = run("cut", "-", "-k", 1, stdin=text, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "square_a_red_square_1.mp4\n")
    assert "'a dog' is probably not" in result.stderr


def test_a_file_of_the_user_is_kept(run, answers, tmp_path):
    mine = tmp_path / "square_1.mp4"
    mine.write_text("mine")
    result = run("cut", "-", "-k", 1, stdin=answers(), cwd=tmp_path)
    assert result.returncode == 2
    assert "--force" in result.stderr
    assert mine.read_text() == "mine"
    for force in (["--force"], []):  # then the file belongs to rdmf
        assert run("cut", "-", "-k", 1, *force, stdin=answers(), cwd=tmp_path).returncode == 0


def test_the_video_itself_is_never_replaced(run, video, answers):
    before = video.read_bytes()
    name = "{folder}/{stem}.mp4"
    result = run("cut", "-", "-k", 1, "-o", name, "--force", stdin=answers())
    assert result.returncode == 2
    montage = run("cut", "-", "--montage", video, "--force", stdin=answers())
    assert montage.returncode == 2
    assert video.read_bytes() == before


@pytest.mark.parametrize("name", ["{stem}.mp4", "cut.mp4"])
def test_two_moments_of_one_name_are_refused_before_any_is_written(run, answers, tmp_path, name):
    folder = tmp_path / "new"
    folder.mkdir()
    result = run("cut", "-", "-o", name, stdin=answers(), cwd=folder)
    assert result.returncode == 2
    assert "{rank}" in result.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["{rank}", "{rank}.gif", "{place}.mp4", "{rank:q}.mp4"])
def test_a_name_that_cannot_be_is_a_usage_error(run, answers, tmp_path, name):
    result = run("cut", "-", "-o", name, stdin=answers(), cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")


def test_a_copy_says_how_much_earlier_it_starts(run, answers, tmp_path):
    result = run("cut", "-", "-k", 1, "--copy", stdin=answers(), cwd=tmp_path)
    assert result.returncode == 0
    assert "square_1.mp4: starts 1.00 s earlier, at the key frame before" in result.stderr
    assert seconds(tmp_path / "square_1.mp4") == pytest.approx(2.0, abs=0.25)  # B-frames


@pytest.mark.parametrize("text", ["", "no JSON\n", '{"schema": "rdmf.answer/1"}\n', "[1]\n"])
def test_what_is_no_answer_on_stdin_is_said(run, text):
    result = run("cut", "-", stdin=text)
    assert result.returncode in (1, 2)
    assert "rdmf query" in result.stderr


def test_json_tells_where_each_file_comes_from(run, answers, tmp_path):
    options = ("--json", "--copy", "--montage", "all.mp4", "-o", "{rank}.mp4")
    told = run("cut", "-", *options, stdin=answers(), cwd=tmp_path)
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert [line["file"] for line in lines] == ["1.mp4", "2.mp4", "all.mp4"]
    assert [(line["start"], line["end"]) for line in lines] == [*SPANS, (0.0, 1.6)]
    assert "starts 1.00 s earlier" in lines[0]["notes"][0]
    missing = run("cut", tmp_path / "none.mp4", *ASKED, "--json", cwd=tmp_path)
    assert json.loads(missing.stdout.splitlines()[0])["schema"] == "rdmf.error/1"


def test_a_montage_alone_or_beside_its_parts(run, answers, tmp_path):
    result = run("cut", "-", "--montage", "all.mp4", stdin=answers(), cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "all.mp4\n")
    assert seconds(tmp_path / "all.mp4") == pytest.approx(1.6)
    options = ("--montage", "all.mp4", "-o", "{rank}.mp4")
    result = run("cut", "-", *options, stdin=answers(), cwd=tmp_path)
    assert result.stdout.split() == ["1.mp4", "2.mp4", "all.mp4"]


def test_some_videos_fail_and_the_others_are_cut(run, video, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    result = run("cut", broken, video, *ASKED, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (3, "square_1.mp4\n")
    assert "broken.mp4" in result.stderr


def test_names_with_signs_of_shells_and_templates(run, video, answers, tmp_path):
    odd = Path(shutil.copy(video, tmp_path / "-a {b} 'c' ü.mp4"))
    text = answers().replace(json.dumps(str(video))[1:-1], json.dumps(str(odd))[1:-1])
    result = run("cut", "-", "-k", 1, "-o", "{stem}_cut.mp4", stdin=text, cwd=tmp_path)
    assert result.stdout == "-a {b} 'c' ü_cut.mp4\n"


def test_python_cuts_too(video, tmp_path):
    (one,) = cut(video, ASKED[0], output=tmp_path / "{stem}_{rank}.mp4", anyway=True)
    assert one.path == tmp_path / "square_1.mp4"
    assert seconds(one.path) == pytest.approx(one.end - one.start, abs=0.01)
    with pytest.raises(RdmfError) as error:
        cut(video, "an elephant in a submarine", output=tmp_path / "x.mp4", min_score=1.0)
    assert error.value.exit_code == ExitCode.NOTHING_FOUND

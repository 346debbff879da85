"""rdmf query on the command line."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from rdmf_cli.api.arguments import seconds
from rdmf_cli.errors import UsageError
from rdmf_cli.resources import weights_folder

CAT = "the face of a cat"


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def same_but_for_this_run(answer: dict) -> dict:
    of_this_run = {"cached": None, "frames_decoded": None}
    return {**answer, "timings": {}, "features": {**answer["features"], **of_this_run}}


def test_the_readmes_question(run_in_shell, tour):
    result = run_in_shell("query", tour, CAT)
    assert result.returncode == 0
    assert "0:" in result.stdout
    assert CAT in result.stdout
    assert "\x1b" not in result.stdout  # a pipe gets plain text
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("sentence", "start", "end"),
    [
        ("a cup of coffee", 0, 10),
        ("a rocket on the launch pad", 10, 19),
        (CAT, 19, 32),
        ("a brick wall", 32, 38),
        ("bricks", 32, 38),
        ("a smiling woman", 38, 50),
        ("old coins", 50, 57),
        ("a man with a camera", 57, 67),
        ("stars in the night sky", 67, 75),
    ],
)
def test_the_best_moment_is_where_it_is_shown(run, cached_tour, sentence, start, end):
    (answer,) = lines(run("query", cached_tour, sentence, "--json").stdout)
    best = answer["moments"][0]
    shared = min(best["end"], end) - max(best["start"], start)
    assert shared / (max(best["end"], end) - min(best["start"], start)) > 0.5


def test_the_example_needs_no_file_at_hand(run, tmp_path):
    (answer,) = lines(run("query", "--example", CAT, "--json", cwd=tmp_path).stdout)
    assert answer["moments"][0]["start"] < 32
    (other,) = lines(run("query", "--example", "-q", CAT, "--json", cwd=tmp_path).stdout)
    assert other["video"] == answer["video"]
    assert Path(answer["video"]).is_file()


def test_the_example_stands_beside_other_videos(run, video, cached_tour):
    told = lines(run("query", "--example", video, CAT, "--json").stdout)
    assert [Path(answer["video"]).name for answer in told] == ["tour.mp4", "square.mp4"]


def test_a_second_query_decodes_nothing_and_says_so(run, tour):
    first, second = (lines(run("query", tour, CAT, "--json").stdout)[0] for _ in range(2))
    assert not first["features"]["cached"]
    assert first["features"]["frames_decoded"] > 0
    assert second["features"]["cached"]
    assert second["features"]["frames_decoded"] == 0
    assert same_but_for_this_run(first) == same_but_for_this_run(second)


def test_without_the_cache_nothing_is_kept(run, video, own_cache):
    for _ in range(2):
        (answer,) = lines(run("query", video, CAT, "--json", "--no-cache").stdout)
        assert not answer["features"]["cached"]
    assert not list(own_cache.rglob("*.safetensors"))


def test_several_videos_and_several_queries(run, video, tmp_path):
    other = Path(shutil.copy(video, tmp_path / "other.mp4"))
    result = run("query", video, other, "-q", "a red square", "-q", "a dog", "--json")
    asked = [(Path(a["video"]).name, a["query"]) for a in lines(result.stdout)]
    assert asked == [(v, q) for v in ("square.mp4", "other.mp4") for q in ("a red square", "a dog")]


def test_a_folder_stands_for_its_videos(run, video):
    (video.parent / "notes.txt").write_text("not a video")
    shutil.copy(video, video.parent / "another.mp4")
    result = run("query", video.parent, "a red square", "--json")
    assert [Path(a["video"]).name for a in lines(result.stdout)] == ["another.mp4", "square.mp4"]


@pytest.mark.parametrize(
    "text", ["a dog\n\na cat\n", '{"query": "a dog", "qid": 3}\n{"query": "a cat"}\n']
)
@pytest.mark.parametrize("from_stdin", [True, False])
def test_queries_from_a_file_or_from_stdin(run, video, tmp_path, text, from_stdin):
    file = tmp_path / "queries.txt"
    file.write_text(text)
    name = "-" if from_stdin else file
    result = run("query", video, "--queries", name, "--json", stdin=text if from_stdin else None)
    assert [a["query"] for a in lines(result.stdout)] == ["a dog", "a cat"]


def test_a_line_of_queries_that_is_not_json_is_named(run, video):
    result = run("query", video, "--queries", "-", stdin='a dog\n{"text": "a cat"}\n')
    assert result.returncode == 1
    assert "-: line 2 is not JSON with a key `query`" in result.stderr
    assert run("query", video, "--queries", "-", stdin='{"query": null}').returncode == 1


def test_only_part_of_the_video(run, tour):
    (answer,) = lines(run("query", tour, CAT, "--start", "0:50", "--end", "60", "--json").stdout)
    assert answer["offset"] == 50
    assert len(answer["saliency"]) == 5
    assert all(50 <= m["start"] < m["end"] <= 60 for m in answer["moments"])


def test_moments_stay_within_the_part(run, tour):
    (answer,) = lines(run("query", tour, CAT, "--start", "21", "--end", "25", "--json").stdout)
    assert answer["offset"] == 20
    assert answer["moments"]
    assert all(21 <= m["start"] < m["end"] <= 25 for m in answer["moments"])
    assert [m["rank"] for m in answer["moments"]] == list(range(1, len(answer["moments"]) + 1))


def test_a_part_of_a_cached_video_is_cut_from_it(run, cached_tour):
    whole = lines(run("query", cached_tour, CAT, "--json").stdout)[0]
    part = lines(run("query", cached_tour, CAT, "--start", "20", "--json").stdout)[0]
    assert part["features"]["cached"]
    assert part["features"]["clips"] == whole["features"]["clips"] - 10
    assert part["offset"] == 20


def test_a_part_past_the_end_of_one_video_leaves_the_others(run, video, tour):
    result = run("query", video, tour, "-q", CAT, "--start", "1:00", "--json")
    assert result.returncode == 3
    assert [row["schema"] for row in lines(result.stdout)] == ["rdmf.error/1", "rdmf.answer/1"]
    assert "square.mp4: --start is 60 s, but the video ends at 6.0 s" in result.stderr


def test_an_empty_part_is_a_usage_error(run, video):
    result = run("query", video, CAT, "--start", "0:05", "--end", "4")
    assert result.returncode == 2
    assert "--end (4 s) must be after --start (5 s)" in result.stderr


def test_top_k_and_min_score(run, cached_tour):
    (all_of_them,) = lines(run("query", cached_tour, CAT, "--json", "-k", "9").stdout)
    (one,) = lines(run("query", cached_tour, CAT, "--json", "--top-k", "1").stdout)
    assert one["moments"] == all_of_them["moments"][:1]
    first, second = all_of_them["moments"][:2]
    limit = (first["score"] + second["score"]) / 2
    (above,) = lines(run("query", cached_tour, CAT, "--json", "--min-score", limit).stdout)
    assert above["moments"] == [first]


def test_another_head(run, cached_tour, tmp_path):
    rates = json.loads((weights_folder() / "rates.json").read_text())
    rates["ranking"]["offset"] -= 0.1
    (tmp_path / "mine.json").write_text(json.dumps(rates))
    shipped, mine = (
        lines(run("query", cached_tour, CAT, "--json", *head).stdout)[0]
        for head in (("--head", "training-free"), ("--checkpoint", tmp_path / "mine.json"))
    )
    assert shipped["head"] == mine["head"] == "training-free"
    lower = shipped["moments"][0]["raw_score"] - mine["moments"][0]["raw_score"]
    assert lower == pytest.approx(0.1, abs=1e-5)


def test_a_learned_head(run, cached_tour, learned):
    result = run("query", cached_tour, CAT, "--json", "--checkpoint", learned, "-k", "3")
    (answer,) = lines(result.stdout)
    assert answer["head"] == "learned-universal"
    assert len(answer["moments"]) == 3
    assert len(answer["saliency"]) == answer["features"]["clips"]
    assert all(0 <= m["start"] < m["end"] <= answer["duration"] for m in answer["moments"])


def test_a_head_for_another_encoder_is_refused(run, cached_tour, tmp_path):
    from rdmf_cli.heads.learned.config import ModelConfig
    from rdmf_cli.heads.learned.torch.checkpoint import save
    from rdmf_cli.heads.learned.torch.network import Network

    widths = {"video_width": 512, "sentence_width": 512, "words_width": 512, "matching": (0, 512)}
    config = ModelConfig(head="full", encoder="ViT-B-32/openai", **widths)
    save(tmp_path / "model", Network(config))
    question = ("query", cached_tour, CAT, "--encoder", "embedded")
    result = run(*question, "--checkpoint", tmp_path / "model")
    assert result.returncode == 1
    assert "trained on features of ViT-B-32/openai, not of embedded" in result.stderr
    assert "give --encoder ViT-B-32/openai" in result.stderr


def test_a_head_and_a_checkpoint_are_a_usage_error(run, cached_tour, learned):
    result = run("query", cached_tour, CAT, "--head", "learned", "--checkpoint", learned)
    assert result.returncode == 2
    assert "--head and --checkpoint cannot be given together" in result.stderr


def test_a_head_that_is_none(run, cached_tour, tmp_path):
    (tmp_path / "no.json").write_text('{"rates": 3}')
    (tmp_path / "folder").mkdir()
    for name in ("no.json", "none.json", "folder"):
        result = run("query", cached_tour, CAT, "--checkpoint", tmp_path / name)
        assert result.returncode == 1
        assert name in result.stderr


def test_shorter_clips_make_a_finer_curve(run, video):
    (answer,) = lines(run("query", video, CAT, "--clip-length", "0.5", "--json").stdout)
    assert len(answer["saliency"]) == 12
    assert answer["clip_length"] == 0.5


def test_json_is_nothing_but_json(run, video):
    result = run("query", video, "a red square", "--json")
    (answer,) = lines(result.stdout)
    assert answer["schema"] == "rdmf.answer/1"
    assert len(answer["saliency"]) == answer["features"]["clips"]
    assert 0 <= answer["presence"] <= 1


def test_csv_has_a_row_a_moment(run, video):
    result = run("query", video, "a red square", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert rows
    assert float(rows[0]["start"]) < float(rows[0]["end"])


def test_which_encoder_answers_is_said_once_on_stderr(run, video):
    result = run("query", video, "-q", "a dog", "-q", "a cat")
    assert sum("encoder" in line for line in result.stderr.splitlines()) == 1


def test_the_table_fits_a_narrow_terminal_and_any_script(run, video):
    result = run("query", video, "ein rotes Viereck, 赤い四角 مربع أحمر", COLUMNS="40")
    assert result.returncode == 0
    assert "赤い四角" in result.stdout


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("1:30", 90), ("0:01:30.5", 90.5), ("0", 0), (None, None)]
)
def test_times_as_people_write_them(text, value):
    assert seconds(text, "--start") == value


@pytest.mark.parametrize("text", ["", "a", "1:2:3:4", "-3", "nan", "inf", "1e9"])
def test_what_is_no_time_is_said(text):
    with pytest.raises(UsageError, match=r"--start .* is not a time"):
        seconds(text, "--start")


def test_refined_ends_lie_on_the_cuts(run, cached_tour, tmp_path):
    (plain,) = lines(run("query", cached_tour, CAT, "--json").stdout)
    (exact,) = lines(run("query", cached_tour, CAT, "--json", "--refine").stdout)
    assert (exact["moments"][0]["start"], exact["moments"][0]["end"]) == (19, 32)
    assert [m["score"] for m in exact["moments"]] == [m["score"] for m in plain["moments"]]
    for before, after in zip(plain["moments"], exact["moments"], strict=True):
        assert abs(after["start"] - before["start"]) <= 2
        assert abs(after["end"] - before["end"]) <= 2

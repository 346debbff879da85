"""`evaluate` in the test's process: scores of a file, and of the predictions of a head."""

from __future__ import annotations

import pytest
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, with_change, written
from made_up_sets import SETS, write_own

from rdmf_cli import UsageError, evaluate
from rdmf_cli.evaluation import GroundTruth, evaluate_files
from rdmf_cli.outputs.json_lines import json_line


@pytest.fixture
def files(tmp_path):
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    return written(tmp_path / "guess.jsonl", PREDICTIONS), truth


def test_it_scores_as_the_protocol_does(files):
    scored = evaluate(*files, dataset="qvhighlights")
    plain = evaluate_files(files[0], GroundTruth(files[1], "qvhighlights"))
    assert scored.dataset == "qvhighlights"
    assert scored.brief == plain["brief"]
    assert scored.metrics["full"] == plain["full"]
    assert scored.queries["all"] == 3
    assert '"MR-full-mIoU": 90.56' in json_line(scored)  # two decimals, as the field prints


def test_notes_are_part_of_the_result(files, tmp_path):
    guess, truth = files
    written(guess, with_change(PREDICTIONS, 1, pred_relevant_windows=[]))
    assert evaluate(guess, truth).notes == (
        "1 query without a predicted window: counted as missed",
    )


def test_a_head_predicts_and_the_submission_scores_alike(tmp_path):
    features = write_own(tmp_path / "own", 2, 2)
    told: list[tuple[int, int, str]] = []
    scored = evaluate(
        features=features,
        dataset=str(features / "val.jsonl"),
        head="training-free",
        submission=tmp_path / "said.jsonl",
        progress=lambda *at: told.append(at),
    )
    assert scored.head == "training-free"
    assert scored.submission == str(tmp_path / "said.jsonl")
    assert told[-1][:2] == (2, 2)
    again = evaluate(tmp_path / "said.jsonl", features / "val.jsonl")
    assert again.brief == pytest.approx(scored.brief, abs=0.01)


def test_the_split_of_a_benchmark_is_found(tmp_path):
    features = SETS["charades"](tmp_path, 2, 2)
    scored = evaluate(features=features, dataset="charades", split="test", head="training-free")
    assert scored.protocol == "grounding"
    assert "MR-full-R1@0.5" in scored.brief


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "--predictions, --features or --videos: not given"),
        ({"predictions": "p.jsonl"}, "--ground-truth: not given"),
        ({"predictions": "p.jsonl", "videos": "v"}, "cannot be given together"),
        ({"features": "f", "nms": 0.5}, "--nms needs --legacy"),
        ({"features": "f", "nms": 5}, "--nms must be"),
        ({"features": "f", "round_to": float("inf")}, "--round-to"),
        ({"features": "f", "only": "both"}, "--only must be 'moments' or 'highlights'"),
        ({"features": "f", "dataset": "charadess"}, "charadess"),
        ({"predictions": "p.jsonl", "submission": "s.jsonl"}, "--submission cannot be given"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(arguments, said):
    with pytest.raises(UsageError, match=said):
        evaluate(**arguments)


@pytest.mark.parametrize("arguments", [{"features": "none"}, {"videos": "none"}])
def test_a_missing_folder_is_a_file_not_found_error(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        evaluate(**arguments)


def test_missing_files_are_file_not_found_errors(files, tmp_path):
    with pytest.raises(FileNotFoundError):
        evaluate(tmp_path / "none.jsonl", files[1])
    with pytest.raises(FileNotFoundError):
        evaluate(files[0], tmp_path / "none.jsonl")

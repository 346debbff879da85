"""rdmf eval on the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cli_shell import run_here
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, with_change, written


@pytest.fixture
def files(tmp_path):
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    return written(tmp_path / "guess.jsonl", PREDICTIONS), truth


def rdmf_eval(*options):
    return run_here("eval", *options)


def test_a_table_on_stdout_and_notes_on_stderr(files, tmp_path):
    guess, truth = files
    written(guess, with_change(PREDICTIONS, 1, pred_relevant_windows=[]))
    done = rdmf_eval("--predictions", guess, "--ground-truth", truth)
    assert done.returncode == 0
    assert "MR-full-R1@0.5" in done.stdout
    assert "66.67" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr == "note: 1 query without a predicted window: counted as missed\n"


def test_json_on_stdout_alone(files):
    guess, truth = files
    done = rdmf_eval(
        "--predictions", guess, "--ground-truth", truth, "--dataset", "qvhighlights", "--json"
    )
    assert done.returncode == 0
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert result["dataset"] == "qvhighlights"
    assert result["brief"]["MR-full-mIoU"] == 90.56
    assert result["HL-min-VeryGood"]["HL-Hit1"] == 33.33


def test_ones_own_annotations_may_be_the_dataset(files):
    guess, truth = files
    done = rdmf_eval("--predictions", guess, "--dataset", truth, "--json")
    assert json.loads(done.stdout)["dataset"] == "truth.jsonl"


def test_a_bad_file_is_one_line_on_stderr_and_exit_code_1(files):
    guess, truth = files
    written(guess, with_change(PREDICTIONS, 2, pred_relevant_windows=[[5, 1, 0.5]]))
    done = rdmf_eval("--predictions", guess, "--ground-truth", truth)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {guess}: line 3: pred_relevant_windows[0]")
    assert done.stderr.count("\n") == 1


def test_with_json_an_error_is_json_too(files):
    guess, truth = files
    guess.write_text("")
    done = rdmf_eval("--predictions", guess, "--ground-truth", truth, "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["what"] == "the file is empty"
    assert error["subject"] == str(guess)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dataset", "charadess"], "no such dataset; did you mean charades"),
        (["--dataset", "qvhighlights", "--legacy"], "there is no legacy protocol for qvhighlights"),
        (["--dataset", "charades", "--only", "highlights"], "charades has no highlights"),
        (["--nms", "0.5"], "--nms needs --legacy"),
        (["--round-to", "inf"], "--round-to is not a number of seconds"),
        (["--submission", "s.jsonl"], "--submission cannot be given with --predictions"),
        (["--predictions", "other.jsonl"], "--predictions: given twice; score one file at a time"),
        (["--videos", "."], "--predictions and --videos cannot be given together"),
    ],
)
def test_what_cannot_be_is_exit_code_2(files, options, said):
    guess, truth = files
    done = rdmf_eval("--predictions", guess, "--ground-truth", truth, *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_missing_options_are_exit_code_2_with_the_line_to_type(files):
    guess, _ = files
    for given, missing in ((("--predictions", guess), "--ground-truth"), ((), "or --videos")):
        done = rdmf_eval(*given)
        assert done.returncode == 2
        assert f"{missing}: not given; rdmf eval --predictions" in done.stderr


def test_scoring_needs_neither_torch_nor_scipy(files):
    guess, truth = files
    code = (
        "import sys\n"
        "from rdmf_cli.evaluation import GroundTruth, evaluate_files\n"
        f"evaluate_files({str(guess)!r}, GroundTruth({str(truth)!r}))\n"
        "assert not {'torch', 'scipy', 'sklearn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_ties_stand_beside_the_score(tmp_path):
    labels = [[5] * 20] + [[1] * 20] * 9
    row = {"qid": "a", "query": "q", "vid": "v", "duration": 10, "domain": "[b]DS", "label": labels}
    truth = written(tmp_path / "truth.jsonl", [row])
    guess = written(tmp_path / "guess.jsonl", [{"qid": "a", "pred_saliency_scores": [0.5] * 10}])
    done = rdmf_eval("--predictions", guess, "--ground-truth", truth, "--dataset", "tvsum")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "HL-mAP-[b]DS" in line]
    assert line.split()[1:] == ["100.00", "0.00", "to", "100.00"]


def test_bad_annotations_are_skipped_on_request(files):
    guess, truth = files
    written(truth, with_change(ANNOTATIONS, 1, relevant_windows=[[18, 12]]))
    asked = ("--predictions", guess, "--ground-truth", truth)
    assert "with --skip-bad" in rdmf_eval(*asked).stderr
    done = rdmf_eval(*asked, "--skip-bad")
    assert done.returncode == 0
    assert "note: truth.jsonl: 1 of 3 entries skipped (--skip-bad)\n" in done.stderr

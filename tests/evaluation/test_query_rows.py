"""One row per query, and the choice of some queries."""

from __future__ import annotations

import csv
import json

import pytest
from cli_shell import run_here
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, with_change, written

import rdmf_cli
from rdmf_cli.errors import RdmfError


@pytest.fixture
def files(tmp_path):
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    return written(tmp_path / "guess.jsonl", PREDICTIONS), truth


def rdmf_eval(files, *options):
    guess, truth = files
    return run_here("eval", "--predictions", guess, "--ground-truth", truth, *options)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_per_query_whose_means_are_the_metrics(files, tmp_path):
    table = tmp_path / "rows.csv"
    done = rdmf_eval(files, "--csv", table, "--json")
    assert done.returncode == 0, done.stderr
    rows = rows_of(table)
    assert [row["qid"] for row in rows] == ["1", "2", "third"]
    first, second, _ = rows
    about = [first[name] for name in ("query", "vid", "duration", "moments", "seconds")]
    assert about == ["a kettle boils", "kitchen", "20", "1", "10"]
    assert [first[name] for name in ("windows", "start", "end", "score")] == ["2", "0", "8", "0.9"]
    assert (second["moments"], second["seconds"], second["MR-full-mIoU"]) == ("2", "6", "100")
    assert second["MR-middle-mAP"] == ""  # none of its moments has that length
    brief = json.loads(done.stdout)["brief"]
    for name, value in brief.items():
        if value is not None:
            cells = [float(row[name]) for row in rows if row[name]]
            assert sum(cells) / len(cells) == pytest.approx(value, abs=0.01), name


def test_text_in_a_row_steers_nothing_and_stays_in_its_cell(files, tmp_path):
    written(files[1], with_change(ANNOTATIONS, 0, query='a "b", c\n\x1b[2J'))
    rdmf_eval(files, "--csv", tmp_path / "rows.csv")
    assert rows_of(tmp_path / "rows.csv")[0]["query"] == 'a "b", c\n\ufffd[2J'


def test_the_table_replaces_no_input_and_no_file_of_a_users(files, tmp_path):
    for path in files:
        assert rdmf_eval(files, "--csv", path, "--force").returncode == 2
        assert path.read_text().startswith('{"qid"')
    mine = tmp_path / "mine.csv"
    mine.write_text("mine")
    assert rdmf_eval(files, "--csv", mine).returncode == 2
    assert mine.read_text() == "mine"
    assert rdmf_eval(files, "--csv", mine, "--force").returncode == 0


@pytest.mark.parametrize(
    "text",
    ["1\nthird\n", ' [1, "third"]', '{"qid": "third", "query": "a dog runs"}\n{"qid": 1}\n'],
)
def test_some_queries_alone(files, tmp_path, text):
    chosen = tmp_path / "chosen.txt"
    chosen.write_text(text)
    done = rdmf_eval(files, "--only-qids", chosen, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "note: 2 of 3 queries are kept (--only-qids chosen.txt)\n"
    scored = json.loads(done.stdout)
    assert scored["queries"]["all"] == 2
    assert scored["brief"]["MR-full-mIoU"] == pytest.approx(100 * (8 / 10 + 11 / 12) / 2, abs=0.01)


def test_a_prediction_is_needed_of_the_chosen_queries_alone(files, tmp_path):
    chosen = tmp_path / "chosen.txt"
    chosen.write_text("third\n")
    written(files[0], PREDICTIONS[:1])
    assert rdmf_eval(files, "--only-qids", chosen).returncode == 0
    written(files[0], [*PREDICTIONS, {**PREDICTIONS[0], "qid": "fourth"}])
    assert "'fourth' is not in truth.jsonl" in rdmf_eval(files, "--only-qids", chosen).stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\nfourth\n", "line 2: lists qid 'fourth', which is not in truth.jsonl"),
        ("[1, [2]]", "must be a qid"),
        ("[1, 2", "must be a JSON list of qids"),
        ('{"query": "a"}\n', "line 1"),
        ("", "the file is empty"),
        ("[]", "lists no qid of these annotations"),
    ],
)
def test_a_list_of_qids_that_cannot_be_taken_is_said(files, tmp_path, text, said):
    chosen = tmp_path / "chosen.txt"
    chosen.write_text(text)
    done = rdmf_eval(files, "--only-qids", chosen)
    assert done.returncode == 1
    assert str(chosen) in done.stderr
    assert said in done.stderr


def test_a_qid_that_is_listed_twice_is_noted(files, tmp_path):
    chosen = tmp_path / "chosen.txt"
    chosen.write_text("2\nthird\n2\n2\n")
    done = rdmf_eval(files, "--only-qids", chosen)
    assert "note: chosen.txt lists 1 qid more than once (the first: 2)\n" in done.stderr


def test_compare_and_analyze_take_some_queries_too(files, tmp_path):
    chosen = tmp_path / "chosen.json"
    chosen.write_text('["2", "third"]')
    guess, truth = files
    compared = rdmf_cli.compare([guess, guess], truth, only_qids=chosen, resamples=100)
    assert compared.queries == 2
    assert rdmf_cli.analyze(guess, truth, only_qids=chosen).queries == 2
    chosen.write_text("[]")
    with pytest.raises(RdmfError, match="lists no qid of these annotations"):
        rdmf_cli.analyze(guess, truth, only_qids=chosen)

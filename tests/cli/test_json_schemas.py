"""The output of every `--json` matches a published schema, which its key `schema` names."""

from __future__ import annotations

import pytest
from made_up_benchmark import ANNOTATIONS, PREDICTIONS, written
from published_schemas import check_lines, schemas


def test_every_command_names_its_schema(run, video, tmp_path):
    guess = written(tmp_path / "guess.jsonl", PREDICTIONS)
    truth = written(tmp_path / "truth.jsonl", ANNOTATIONS)
    for arguments, name in (
        (("query", video, "a red square"), "rdmf.answer/1"),
        (("extract", video, "--out", tmp_path / "features"), "rdmf.extract/1"),
        (("cut", video, "a red square", "--anyway", "-o", tmp_path / "{rank}.mp4"), "rdmf.cut/1"),
        (("fuse", video, "a red square"), "rdmf.fuse/1"),
        (("eval", "--predictions", guess, "--ground-truth", truth), "rdmf.eval/1"),
        (("cache", "list"), "rdmf.cache/1"),
        (("cache", "size"), "rdmf.cache-size/1"),
        (("weights", "list", "--all"), "rdmf.weights/1"),
        (("query", tmp_path / "none.mp4", "a dog"), "rdmf.error/1"),
    ):
        lines = check_lines(run(*arguments, "--json").stdout)
        assert {line["schema"] for line in lines} == {name}


def test_a_blind_split_keeps_to_the_schema_too(run, tmp_path):
    guess = written(tmp_path / "guess.jsonl", [{**PREDICTIONS[0], "pred_relevant_windows": []}])
    truth = written(tmp_path / "truth.jsonl", [ANNOTATIONS[2]])
    (scored,) = check_lines(
        run("eval", "--predictions", guess, "--ground-truth", truth, "--json").stdout
    )
    assert scored["brief"]["MR-full-R1@0.5"] == 0
    assert scored["notes"][0].startswith("1 query without a predicted window")


@pytest.mark.parametrize("name", sorted(schemas()))
def test_a_schema_has_a_name_and_a_description(name):
    assert name.startswith("rdmf.")
    assert schemas()[name]["description"]

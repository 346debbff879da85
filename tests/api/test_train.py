"""`train` in the test's process: a head learns, training resumes, and the head answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch  # noqa: F401  (training needs it)
from made_up_sets import write_own
from published_schemas import check_lines

from rdmf_cli import UsageError, evaluate, train
from rdmf_cli.outputs.json_lines import json_line

SHORT = {"epochs": 1, "batch_size": 4, "device": "cpu"}


def test_a_head_is_trained_resumed_and_answers(tmp_path):
    features = write_own(tmp_path / "own", 4, 2)
    notes: list[str] = []
    asked = {
        "dataset": str(features / "train.jsonl"),
        "features": features,
        "out": tmp_path / "run",
        "notify": notes.append,
        **SHORT,
    }
    ended = train(**asked)
    assert ended.epochs == ended.best_epoch == 1
    assert Path(ended.model).is_dir()
    assert Path(ended.checkpoint).is_file()
    assert ended.report.config["head"] == "universal"
    assert train(**asked) == ended  # the training was already complete
    check_lines(json_line(ended))
    scored = evaluate(
        features=features, dataset=str(features / "val.jsonl"), checkpoint=ended.model
    )
    assert scored.head is not None
    assert scored.head.startswith("learned")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "--features and --videos: not given"),
        ({"features": "f", "videos": "v"}, "cannot be given together"),
        ({"features": "f", "epochs": 0}, "--epochs must be"),
        ({"features": "f", "epochs": "3"}, "--epochs must be"),
        ({"features": "f", "rate": -1.0}, "rate"),
        ({"features": "f", "hold_out": 1.0}, "--hold-out must be at least 0 and below 1"),
        ({"features": "f", "precision": "float16"}, "--precision must be"),
        ({"features": "f", "epoch": 3}, "epoch: train has no such argument"),
    ],
)
def test_wrong_arguments_are_usage_errors(arguments, said):
    with pytest.raises(UsageError, match=said):
        train(**arguments)


def test_an_unknown_fusion_is_a_usage_error(tmp_path):
    features = write_own(tmp_path / "own", 2, 1)
    with pytest.raises(UsageError, match="magnetic"):
        train(dataset=str(features / "train.jsonl"), features=features, fusion="magnetic",
              out=tmp_path / "run", **SHORT)  # fmt: skip
    assert not (tmp_path / "run").exists()

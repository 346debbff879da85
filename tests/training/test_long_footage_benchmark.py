"""`benchmarks/long_footage.py` on an artificial set, and on the example video repeated."""

from __future__ import annotations

import shutil
import sys

import long_footage
import numpy as np
from made_up_sets import SETS

from rdmf_cli.datasets import DATASETS, find_annotations

KINDS = ("one video", "among 4 others", "4 times", "40 % repeated")


def table(said: str, first: str) -> list[list[str]]:
    """Return the cells of the rows of the table whose header begins with `first`."""
    lines = said.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith(first))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_both_heads_have_a_row_for_each_kind_of_footage(tmp_path, capsys, monkeypatch):
    features = SETS["qvhighlights"](tmp_path, 2, 14)
    find_annotations("val", features, DATASETS["qvhighlights"]).rename(features / "val.jsonl")
    (features / "clip_text_features").rename(features / "text")
    shutil.rmtree(features / "slowfast_features")  # clips and sentences in one space
    width = np.load(next((features / "text").iterdir()))["pooler_output"].shape[-1]
    rows = np.random.default_rng(0).normal(size=(8, width)).astype(np.float32)
    np.savez(features / "text" / "background.npz", pooler_output=rows)
    monkeypatch.setattr(long_footage, "EXAMPLE_COPIES", (4,))
    monkeypatch.setattr(long_footage, "EXAMPLE_QUERIES", ("the face of a cat", "a brick wall"))
    asked = ["long_footage.py", str(features), "--queries", "4", "--kinds", *KINDS]
    monkeypatch.setattr(sys, "argv", asked)
    long_footage.main()
    said = capsys.readouterr().out
    scored = table(said, "| footage | queries | head |")
    assert [(row[0], row[2]) for row in scored] == [
        (kind, head) for kind in KINDS for head in ("learned", "training-free")
    ]
    for row in scored:
        assert all(0 <= float(cell) <= 100 for cell in row[3:7]), row
    example = table(said, "| the example, times |")
    assert [row[0] for row in example] == ["1", "4"]
    assert float(example[-1][1]) < 0.8  # no moment of nearly the whole footage

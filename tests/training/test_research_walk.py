"""The commands of docs/research.md with small data, and a benchmark of sound with them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import torch  # noqa: F401  (training needs it)
from made_up_sets import SETS, save, write_lines

from rdmf_cli.cli.app import app
from rdmf_cli.datasets import DATASETS, find_annotations
from rdmf_cli.heads.learned.head import LearnedHead

PAGE = Path(__file__).parents[2] / "docs" / "research.md"
WIDTH = 512  # of CLAP


def rdmf(line: str) -> None:
    app(shlex.split(line)[1:], standalone_mode=False)


def charades_clip(folder: Path) -> None:
    """The layout of the page; sentences come from another encoder, so they share no space."""
    features = SETS["charades"](folder, 5, 3)
    for split, name in (("train", "train"), ("test", "val")):
        found = find_annotations(split, features, DATASETS["charades"])
        found.rename(features / f"{name}.jsonl")
    rng = np.random.default_rng(0)
    for file in features.glob("*text*/*.npz"):
        words, sentence = rng.normal(size=(4, 20)), rng.normal(size=20)
        save(file, last_hidden_state=words, pooler_output=sentence)


def test_every_command_of_the_page_runs(tmp_path, monkeypatch, capsys):
    """Run every command as printed; clips and sentences share no space, and training is short."""
    monkeypatch.chdir(tmp_path)
    charades_clip(tmp_path)
    text = PAGE.read_text(encoding="utf-8").partition("## Sound")[0]
    (toml,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    toml = toml.replace("[0, 1, 2]", "[0]").replace("epochs = 10", "epochs = 1")
    Path("run.toml").write_text(toml)
    lines = [line.strip() for line in text.splitlines() if line.startswith("    rdmf ")]
    assert len(lines) == 11
    scores, said = [], ""
    for line in lines:
        if line.startswith("rdmf train"):
            line += " --device cpu --batch-size 8 --epochs 1"
        rdmf(line)
        out = capsys.readouterr().out
        scores += [out] if line.startswith("rdmf eval") else []
        said += out
    said = " ".join(said.split())
    assert "share no space (columns: clip_features 16, slowfast_features" in said
    assert "train with --head full" in said
    assert "the head: runs/first" in said.replace("\\", "/")
    assert "the heads: " in said
    assert Path("runs/first/curves.png").is_file()
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    _, trained, exported = scores
    assert trained == exported
    assert LearnedHead.load(Path("first.rdmf")).name == "learned-full"


def sounds(folder: Path, split: str, videos: int, rng: np.random.Generator) -> None:
    """Make CASTELLA's annotations with rows in the shape of CLAP's: a sound in noise."""
    records = []
    for number in range(videos):
        vid, seconds = f"{split}{number}", int(rng.integers(60, 90))
        start = int(rng.integers(0, seconds - 20))
        end = start + int(rng.integers(8, 20))
        sound = rng.normal(size=WIDTH)
        rows = 0.5 * rng.normal(size=(seconds, WIDTH))
        rows[start:end] += sound
        qid = 1000 * (split == "val") + number
        save(folder / "clap_features" / f"{vid}.npz", features=rows.astype(np.float16))
        words = rng.normal(size=(6, WIDTH)).astype(np.float16)
        save(folder / "clap_text_features" / f"qid{qid}.npz",
             last_hidden_state=words, pooler_output=sound.astype(np.float16))  # fmt: skip
        records.append(
            {
                "qid": qid,
                "query": f"a sound like number {number}",
                "vid": vid,
                "duration": seconds,
                "relevant_windows": [[start, end]],
                "relevant_clip_ids": [*range(start, end)],
                "saliency_scores": [[3, 3, 3]] * (end - start),
            }
        )
    write_lines(folder / f"castella_{split}_release.jsonl", records)


def test_sound_is_learned_and_scored_as_pictures_are(tmp_path, monkeypatch, capsys):
    """The head finds artificial sounds: at least half of all queries at an IoU of 0.5."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(4)
    sounds(tmp_path / "castella", "train", 24, rng)
    sounds(tmp_path / "castella", "val", 8, rng)
    text = PAGE.read_text(encoding="utf-8").partition("## Sound")[2]
    lines = [line.strip() for line in text.splitlines() if line.startswith("    rdmf ")]
    assert len(lines) == 2
    rdmf(lines[0] + " --device cpu --epochs 4 --batch-size 8")
    capsys.readouterr()
    rdmf(lines[1] + " --json")
    scored = json.loads(capsys.readouterr().out)
    assert {*scored["queries"].values()} >= {8}, scored["queries"]
    assert scored["brief"]["MR-full-R1@0.5"] >= 50
    assert "HL-min-VeryGood-mAP" in scored["brief"]

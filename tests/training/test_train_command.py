"""The command rdmf train: its needs, its output, its folders."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from made_up_sets import SETS, write_lines, write_own
from toy_task import ToyTask

from rdmf_cli.api import training as api
from rdmf_cli.cli import train as command
from rdmf_cli.cli.app import app
from rdmf_cli.datasets import DATASETS, open_samples
from rdmf_cli.errors import MissingExtra, UsageError
from rdmf_cli.heads.learned.torch.checkpoint import load
from rdmf_cli.heads.learned.torch.torch_head import TorchHead
from rdmf_cli.video import probe


class SavedToy(ToyTask):
    """A toy task that can be saved like a head."""

    def save(self, folder, about):
        folder.mkdir(exist_ok=True)
        (folder / "about.json").write_text(json.dumps(about))
        return folder

    def report(self, model):
        return {"config": {"scale": 1.0}, "rates": []}


@pytest.fixture
def rdmf_train(tmp_path, monkeypatch):
    """Run the command on the toy task, in a separate folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "open_task", lambda *settings: (SavedToy(), "0"))
    app = typer.Typer()
    app.command()(command.train)
    usual = ["--features", "f", "--epochs", "2", "--batch-size", "8", "--device", "cpu"]
    return lambda *options: app([*usual, *options], standalone_mode=False)


def test_json_is_all_there_is_on_stdout(rdmf_train, capsys):
    rdmf_train("--out", "mine", "--json")
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert result["schema"] == "rdmf.train/1"
    assert result["epochs"] == 2
    assert set(result["scores"]) == {"goal", "error"}
    assert set(result["report"]) == {"config", "rates", "importance"}
    assert Path(result["checkpoint"]) == Path("mine/best.pt")
    assert Path(result["model"]) == Path("mine/model")
    about = json.loads(Path("mine/model/about.json").read_text())
    assert about["head"] == "universal"
    assert result["scores"] == pytest.approx(about["scores"], abs=1e-6)
    assert [line.split("  ")[0] for line in said.err.splitlines()[1:]] == ["epoch 1/2", "epoch 2/2"]


def test_a_table_and_the_place_of_the_head(rdmf_train, capsys):
    rdmf_train("--out", "mine")
    out = capsys.readouterr().out
    assert "epoch 2 of 2" in out
    assert "goal" in out
    assert f"the head: {Path('mine/model')}\n" in out


def test_without_held_out_videos_there_is_no_table_of_them(rdmf_train, monkeypatch, capsys):
    monkeypatch.setattr(api, "open_task", lambda *settings: (SavedToy(judged=False), "0"))
    rdmf_train("--out", "mine", "--hold-out", "0")
    said = capsys.readouterr()
    assert "held out" not in said.out + said.err
    assert f"the head: {Path('mine/model')}\n" in said.out


def test_the_same_command_finds_its_folder_again(rdmf_train, capsys):
    rdmf_train("--seed", "3", "--json")
    first = json.loads(capsys.readouterr().out)
    folder = Path(first["checkpoint"]).parent
    assert folder.parent == Path("runs")
    assert folder.name.startswith("qvhighlights-universal-reaction-diffusion-pattern-3-")
    rdmf_train("--seed", "3", "--json")
    assert json.loads(capsys.readouterr().out) == first
    for other in (["--split", "other"], ["--rate", "0.001"], ["--dataset", "a/qvhighlights.jsonl"]):
        rdmf_train("--seed", "3", *other)
    assert len([*Path("runs").iterdir()]) == 4


def test_another_fusion_in_the_same_folder_is_refused_until_restart(rdmf_train, capsys):
    rdmf_train("--out", "mine")
    with pytest.raises(UsageError, match=r"fusion reaction-diffusion \(now none\).* --restart"):
        rdmf_train("--out", "mine", "--fusion", "none")
    rdmf_train("--out", "mine", "--fusion", "none", "--restart")


def test_of_torchruns_processes_one_answers(rdmf_train, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    rdmf_train("--out", "mine", "--json")
    assert capsys.readouterr().out == ""
    assert not Path("mine/model").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--videos", "v"], " cannot be given together"), ([], ": not given")],
)
def test_features_or_videos(options, said):
    app = typer.Typer()
    app.command()(command.train)
    features = ["--features", "f"] if options else []
    with pytest.raises(UsageError, match=f"--features and --videos{said}; rdmf train --feat"):
        app([*options, *features], standalone_mode=False)


def test_without_torch_it_says_what_to_install(rdmf_train, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        MissingExtra, match=r"training needs packages .*pip install torch tensorboard"
    ):
        rdmf_train()


def test_the_command_is_there_without_torch():
    code = "import sys, rdmf_cli.cli.train; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --------------------------------------------------------------------- on real data sets


def rdmf(*arguments):
    small = ["--batch-size", "4"] if arguments[0] == "train" else []
    app([*map(str, arguments), "--device", "cpu", *small], standalone_mode=False)


def test_a_head_is_trained_on_charades_and_answers(tmp_path, capsys):
    features = SETS["charades"](tmp_path, 5, 2)
    rdmf("train", "--dataset", "charades", "--features", features, "--head", "full",
         "--epochs", 2, "--rate", 0.02, "--out", tmp_path / "out")  # fmt: skip
    said = capsys.readouterr()
    assert "epoch 2/2" in said.err
    assert "R1@0.7" in said.out
    assert (tmp_path / "out" / "curves.png").read_bytes().startswith(b"\x89PNG")
    table = [line.split() for line in said.out.splitlines() if re.match(r" +\d ±\d", line)]
    groups = {f"{block} ±{clips}" for block in (1, 2) for clips in (1, 2, 4, 8)}
    assert {" ".join(row[:2]) for row in table} == groups
    assert any("%" in cell for row in table for cell in row)
    assert max(map(len, said.out.splitlines()[:-1])) <= 80
    network = load(tmp_path / "out" / "model")
    assert (network.config.head, network.config.clip_length) == ("full", 1.0)
    samples = open_samples(
        DATASETS["charades"], tmp_path / "charades_sta_test.txt", features=features
    )
    reading = TorchHead(network).read(samples[0], top_k=5)
    assert 1 <= len(reading.spans) <= 5
    assert len(reading.saliency) == len(samples[0].video)


def test_it_goes_on_and_scores_alike(tmp_path, capsys):
    features = write_own(tmp_path / "own", 5, 1)
    said = []
    for _ in range(2):
        rdmf("train", "--dataset", features / "train.jsonl", "--features", features,
             "--epochs", 1, "--out", tmp_path / "out", "--json")  # fmt: skip
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1]
    assert said[0]["report"]["config"]["head"] == "universal"


def test_ones_own_videos(tmp_path, tour, capsys):
    """One film and three queries; the embedded encoder encodes film, queries and background."""
    (tmp_path / "videos").mkdir()
    shutil.copy(tour, tmp_path / "videos" / "tour.mp4")
    texts = ("a red circle", "a blue square", "a moving line")
    write_lines(
        tmp_path / "mine.jsonl",
        [
            {
                "qid": k,
                "query": text,
                "vid": "tour",
                "duration": probe(tour).duration,
                "relevant_windows": [[4.0 * k, 4.0 * k + 4.0]],
            }
            for k, text in enumerate(texts)
        ],
    )
    mine = "--dataset", tmp_path / "mine.jsonl", "--videos", tmp_path / "videos"
    rdmf("train", *mine, "--encoder", "embedded", "--clip-length", 1, "--epochs", 1,
         "--out", tmp_path / "out", "--json")  # fmt: skip
    result = json.loads(capsys.readouterr().out)
    assert set(result["scores"]) == {"goal", "R1@0.5", "R1@0.7", "mAP"}
    config = load(tmp_path / "out" / "model").config
    assert (config.encoder, config.clip_length) == ("embedded", 1.0)
    rdmf("eval", *mine, "--clip-length", 1, "--checkpoint", tmp_path / "out" / "model",
         "--submission", tmp_path / "said.jsonl", "--json")  # fmt: skip
    answers = (tmp_path / "said.jsonl").read_text().splitlines()
    curves = [json.loads(answer)["pred_saliency_scores"] for answer in answers]
    assert {len(curve) for curve in curves} == {math.ceil(probe(tour).duration)}


@pytest.mark.parametrize("name", ["train", "eval"])
def test_a_benchmark_keeps_its_clips(name, tmp_path, capsys):
    features = SETS["charades"](tmp_path, 2, 1)
    with pytest.raises(SystemExit):
        rdmf(name, "--dataset", "charades", "--features", features, "--clip-length", 7)
    assert "--clip-length must be 1 s for charades; leave it out" in capsys.readouterr().err


def test_what_was_left_out_is_said(tmp_path, capsys):
    features = SETS["charades"](tmp_path, 4, 2)
    path = tmp_path / "charades_sta_train.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, f"{lines[0].split()[0]} 9.0 3.0##backwards."]))
    rdmf("train", "--dataset", "charades", "--features", features, "--annotations", path,
         "--epochs", 1, "--out", tmp_path / "out")  # fmt: skip
    assert "note: charades_sta_train.txt: line 9:" in capsys.readouterr().err


def failing(capsys, *arguments):
    """Return the output on stderr of a command that fails."""
    with pytest.raises(SystemExit) as ended:
        rdmf(*arguments)
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_queries_without_moments_are_counted_and_alone_they_are_an_error(tmp_path, capsys):
    own = write_own(tmp_path / "own", 3, 1)
    path = own / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    asked = ("train", "--dataset", path, "--features", own, "--epochs", 1, "--out", tmp_path / "o")
    write_lines(path, [{**rows[0], "relevant_windows": []}, *rows[1:]])
    rdmf(*asked)
    of = f"1 of {len(rows)} queries has no moment; the head learns presence from them"
    assert f"note: train.jsonl: {of}" in capsys.readouterr().err
    write_lines(path, [{**row, "relevant_windows": []} for row in rows])
    said = failing(capsys, *asked, "--restart")
    assert f"{path}: no moment in any of its {len(rows)} queries: there is nothing to learn" in said


def test_rows_of_zeros_are_noted(tmp_path, capsys):
    own = write_own(tmp_path / "own", 3, 1)
    rows = np.load(own / "video" / "train1.npz")["features"]
    rows[2] = 0
    np.savez(own / "video" / "train1.npz", features=rows)
    rdmf("train", "--dataset", own / "train.jsonl", "--features", own, "--epochs", 1,
         "--out", tmp_path / "out")  # fmt: skip
    assert "note: 1 video has rows of zeros (the first: train1)" in capsys.readouterr().err


def test_a_background_file_that_is_none(tmp_path, capsys):
    features = write_own(tmp_path, 3, 1)
    (features / "text" / "background.npz").write_bytes(b"PK nothing")
    said = failing(capsys, "train", "--dataset", features / "train.jsonl", "--features", features)
    assert "background.npz: the background sentences in it cannot be read" in said


def test_a_folder_without_annotations(tmp_path, capsys):
    features = SETS["tvsum"](tmp_path, 2, 1)
    said = failing(capsys, "train", "--dataset", "tvsum", "--features", features, "--split", "test")
    assert "no annotations of the split test" in said


def test_a_universal_head_without_a_joint_space(tmp_path, capsys):
    features = SETS["charades-vgg"](tmp_path, 3, 1)
    said = failing(capsys, "train", "--dataset", "charades-vgg", "--features", features)
    assert "share no space in these features (columns: " in said
    assert "no sentence); train a full head (--head full)" in said
    assert f"error: {features}" in said  # the file

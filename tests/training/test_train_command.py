"""rdmf train around the training: what it needs, what it prints, where it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from toy_task import ToyTask

from rdmf_cli.cli import train as command
from rdmf_cli.errors import MissingExtra, UsageError


@pytest.fixture
def rdmf_train(tmp_path, monkeypatch):
    """The command on the toy task, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_task", lambda about, how: ToyTask())
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
    assert set(result["report"]) == {"scale"}
    assert Path(result["checkpoint"]) == Path("mine/best.pt")
    assert [line.split("  ")[0] for line in said.err.splitlines()[1:]] == ["epoch 1/2", "epoch 2/2"]


def test_a_table_and_the_place_of_the_weights(rdmf_train, capsys):
    rdmf_train("--out", "mine")
    out = capsys.readouterr().out
    assert "epoch 2 of 2" in out
    assert "goal" in out
    assert f"the best weights: {Path('mine/best.pt')}\n" in out


def test_the_same_command_finds_its_folder_again(rdmf_train, capsys):
    rdmf_train("--seed", "3", "--json")
    first = json.loads(capsys.readouterr().out)
    folder = Path("runs/qvhighlights-universal-reaction-diffusion-pattern-3")
    assert Path(first["checkpoint"]) == folder / "best.pt"
    rdmf_train("--seed", "3", "--json")
    assert json.loads(capsys.readouterr().out) == first


def test_another_fusion_in_the_same_folder_is_refused_until_restart(rdmf_train, capsys):
    rdmf_train("--out", "mine")
    with pytest.raises(UsageError, match=r"fusion reaction-diffusion \(now none\).* --restart"):
        rdmf_train("--out", "mine", "--fusion", "none")
    rdmf_train("--out", "mine", "--fusion", "none", "--restart")


def test_of_torchruns_processes_one_answers(rdmf_train, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    rdmf_train("--out", "mine", "--json")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--videos", "v"], "cannot be given together"), ([], "not given")],
)
def test_features_or_videos(options, said):
    app = typer.Typer()
    app.command()(command.train)
    features = ["--features", "f"] if options else []
    with pytest.raises(UsageError, match=f"--features and --videos: {said}; rdmf train --feat"):
        app([*options, *features], standalone_mode=False)


def test_without_torch_it_says_what_to_install(rdmf_train, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"training needs the \[train\] part .*'rdmf\[train\]'"):
        rdmf_train()


def test_the_command_is_there_without_torch():
    code = "import sys, rdmf_cli.cli.train; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

"""`rdmf train --wandb`: the real wandb runs offline, and its file is read."""

from __future__ import annotations

import io
import json
import sys

import pytest
import wandb
from made_up_sets import write_own
from wandb_files import runs_in

from rdmf_cli import MissingExtra, RdmfError, train
from rdmf_cli.cli.app import app
from rdmf_cli.training.events import Callback

RUN = """
[model]
width = 16
fusion_channels = 8
slot_width = 16
steps = 2
[training]
epochs = 2
batch_size = 4
device = "cpu"
log_interval = 1
"""


@pytest.fixture(autouse=True)
def offline(tmp_path, monkeypatch):
    """wandb writes only into the test's folder, and sends nothing."""
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / "wandb-own"))
    wandb.teardown()  # so that it reads these settings
    yield
    wandb.teardown()


@pytest.fixture
def asked(tmp_path):
    own = write_own(tmp_path / "own", 6, 2)
    config = tmp_path / "run.toml"
    config.write_text(RUN, encoding="utf-8")
    dataset = str(own / "train.jsonl")
    return {"config": config, "dataset": dataset, "features": own, "out": tmp_path / "run"}


def logged(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_run_file_holds_the_curves_of_the_log(tmp_path, asked, capfd):
    out = asked["out"]
    options = [part for name, value in asked.items() for part in (f"--{name}", str(value))]
    app(["train", *options, "--wandb", "films", "--json"], standalone_mode=False)
    json.loads(capfd.readouterr().out)  # wandb prints nothing to stdout
    (run,) = runs_in(out)
    assert (run.project, run.name) == ("films", f"{tmp_path.name}/run")
    assert run.exit_code == 0
    assert run.config["batch_size"] == 4
    events = logged(out)
    epochs = {e["step"]: e for e in events if e["kind"] == "epoch"}
    assert len(epochs) == 2
    assert run.curves["held_out/mAP"] == {s: e["scores"]["mAP"] for s, e in epochs.items()}
    steps = {e["step"]: e for e in events if e["kind"] == "step"}
    assert len(steps) >= 4
    assert run.curves["loss/total"] == {s: e["losses"]["total"] for s, e in steps.items()}
    for name in ("rate", "gradient_norm"):
        assert run.curves[name] == {s: e[name] for s, e in steps.items()}


def test_a_resumed_run_continues_its_curves_and_a_restarted_run_begins_new_ones(asked):
    class InSecond(Callback):
        def stepped(self, step):
            if step.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(**asked, callback=InSecond(), wandb="films")
    train(**asked, wandb="films")
    first, second = runs_in(asked["out"])
    assert first.exit_code == 1
    assert second.exit_code == 0
    assert first.id == second.id
    epochs = [e["step"] for e in logged(asked["out"]) if e["kind"] == "epoch"]
    assert [*first.curves["held_out/mAP"], *second.curves["held_out/mAP"]] == epochs
    train(**asked, wandb="films", restart=True)
    third = runs_in(asked["out"])[-1]
    assert third.id != first.id
    assert [*third.curves["held_out/mAP"]] == epochs


def test_without_a_login_the_error_says_what_to_do(asked, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr("sys.stdin", io.StringIO())  # no user types an API key
    wandb.teardown()
    with pytest.raises(RdmfError, match=r"Weights & Biases: .*; run `wandb login`, or set WANDB_"):
        train(**asked, wandb="films")


def test_without_the_package_the_error_says_what_to_install(asked, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra, match="pip install wandb"):
        train(**asked, wandb="films")

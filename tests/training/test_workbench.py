"""Features for researchers: val, init, seeds, sweeps, export, the record of a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_sets import SETS, write_own
from published_schemas import check_lines

from rdmf_cli import RdmfError, UsageError, export, sweep, train
from rdmf_cli.cli.app import app
from rdmf_cli.datasets import DATASETS, open_samples
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.heads.learned.torch.checkpoint import load
from rdmf_cli.heads.learned.torch.export import export as write_head
from rdmf_cli.heads.learned.torch.restore import load_network
from rdmf_cli.outputs.json_lines import json_line

SMALL = "[model]\nwidth = 16\nfusion_channels = 8\nslot_width = 16\nheads = 2\nsteps = 2\n"
SHORT = {"epochs": 1, "batch_size": 4, "device": "cpu"}


@pytest.fixture
def own(tmp_path):
    return write_own(tmp_path / "own", 4, 2)


@pytest.fixture
def config(tmp_path, own):
    """Make a configuration of a small head on artificial data."""
    return written(tmp_path / "run.toml", SMALL, own)


def written(path, text, own):
    data = f"[data]\ndataset = {json.dumps(str(own / 'train.jsonl'))}\n"
    data += f"features = {json.dumps(str(own))}\n"
    training = '[training]\nepochs = 1\nbatch_size = 4\ndevice = "cpu"\n'
    path.write_text(text.partition("[model]")[0] + data + training + SMALL, encoding="utf-8")
    return path


def about(model):
    return json.loads((Path(model) / "config.json").read_text())["about"]


@pytest.mark.parametrize("epochs", [1, 2])
def test_the_learning_curves_are_drawn_from_the_first_epoch_on(tmp_path, config, epochs):
    train(config=config, epochs=epochs, out=tmp_path / "run")
    assert (tmp_path / "run" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_val_chooses_the_epoch(tmp_path, own):
    """As a file and as a split; the scores equal an evaluation of this file."""
    asked = {"dataset": str(own / "train.jsonl"), "features": own, **SHORT}
    by_split = train(**asked, val="val", out=tmp_path / "a")
    by_file = train(**asked, val=own / "val.jsonl", out=tmp_path / "b")
    held = train(**asked, out=tmp_path / "c")
    assert by_split.scores == by_file.scores != held.scores
    assert about(by_split.model)["val"] == "val"
    with pytest.raises(FileNotFoundError):
        train(**asked, val="none", out=tmp_path / "d")


def test_videos_in_both_splits_are_noted(tmp_path, own):
    notes: list[str] = []
    train(dataset=str(own / "train.jsonl"), features=own, val=own / "train.jsonl",
          out=tmp_path / "a", notify=notes.append, **SHORT)  # fmt: skip
    assert any(
        note.startswith("4 videos are both in the train split and in --val") for note in notes
    )


def test_val_of_a_benchmark_is_found_by_its_split(tmp_path):
    features = SETS["charades"](tmp_path, 4, 2)
    ended = train(dataset="charades", features=features, val="test", head="full",
                  out=tmp_path / "a", **SHORT)  # fmt: skip
    assert {"R1@0.5", "mAP"} <= set(ended.scores)


def test_training_starts_from_the_weights_of_a_run(tmp_path, config):
    first = train(config=config, out=tmp_path / "a")
    again = train(config=config, out=tmp_path / "b", init=tmp_path / "a", rate=1e-12)
    for name, tensor in load(first.model).state_dict().items():
        assert torch.allclose(load(again.model).state_dict()[name], tensor, atol=1e-6), name
    assert load(again.model).config.width == 16
    with pytest.raises(UsageError, match=r"another model: width 64 \(now 16\)"):
        train(config=config, out=tmp_path / "c", init="shipped")


def test_the_shipped_head_is_tuned(tmp_path, own):
    ended = train(dataset=str(own / "train.jsonl"), features=own, init="shipped", rate=1e-12,
                  out=tmp_path / "a", **SHORT)  # fmt: skip
    samples = open_samples(DATASETS["qvhighlights"], own / "val.jsonl", features=own)
    shipped = LearnedHead.load().read(samples[0], top_k=5)
    tuned = LearnedHead.load(export(ended.model, tmp_path / "tuned.rdmf")).read(samples[0], top_k=5)
    assert np.allclose(tuned.spans, shipped.spans, atol=1e-3)
    assert np.allclose(tuned.saliency, shipped.saliency, atol=1e-3)


@pytest.mark.parametrize("fusion", ["reaction-diffusion", "none", "cross-attention"])
def test_weights_are_read_back_from_an_exported_head(tmp_path, own, fusion):
    ended = train(dataset=str(own / "train.jsonl"), features=own, fusion=fusion,
                  out=tmp_path / "a", **SHORT)  # fmt: skip
    file = export(tmp_path / "a", tmp_path / "a.rdmf")
    found, wanted = load_network(str(file)).state_dict(), load(ended.model).state_dict()
    assert {*found} == {*wanted}
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_full_head_is_tuned_from_its_run(tmp_path, own):
    """The exported file does not contain the weights that only training needs."""
    asked = {"dataset": str(own / "train.jsonl"), "features": own, "head": "full", **SHORT}
    train(**asked, out=tmp_path / "a")
    file = export(tmp_path / "a", tmp_path / "a.rdmf")
    with pytest.raises(RdmfError, match=r"do not hold .* give the folder of the run"):
        train(**asked, out=tmp_path / "b", init=file)
    assert train(**asked, out=tmp_path / "b", init=tmp_path / "a").epochs == 1


def test_an_exported_head_answers_without_torch_and_says_what_it_is(tmp_path, config, capsys):
    train(config=config, out=tmp_path / "a")
    app(["export", str(tmp_path / "a"), str(tmp_path / "a.rdmf")], standalone_mode=False)
    assert capsys.readouterr().out == f"the head: {tmp_path / 'a.rdmf'}\n"
    assert LearnedHead.load(tmp_path / "a.rdmf").config.width == 16
    from zipfile import ZipFile

    told = json.loads(ZipFile(tmp_path / "a.rdmf").read("config.json"))["about"]["run"]
    assert told["config"]["model"]["width"] == 16
    assert told["config"]["training"]["seed"] == 0
    assert len(told["data"]) == 64
    assert (
        told["versions"]["torch"] == torch.__version__.partition("+")[0]
        or told["versions"]["torch"]
    )
    assert told["machine"]["device"] == "cpu"
    assert "command" in told


def test_nothing_to_export_is_an_error(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(RdmfError, match="is no run of `rdmf train`"):
        export(tmp_path / "a", tmp_path / "a.rdmf")
    with pytest.raises(FileNotFoundError):
        export(tmp_path / "b", tmp_path / "a.rdmf")


def test_the_hash_is_that_of_the_data(tmp_path, own):
    def hashed(folder, name):
        ended = train(dataset=str(folder / "train.jsonl"), features=folder, out=tmp_path / name,
                      **SHORT)  # fmt: skip
        return about(ended.model)["run"]["data"]

    first = hashed(own, "a")
    shutil.copytree(own, tmp_path / "copy")
    assert hashed(tmp_path / "copy", "b") == first
    path = tmp_path / "copy" / "video" / "train0.npz"
    np.savez(path, features=np.load(path)["features"][::-1])
    assert hashed(tmp_path / "copy", "c") != first


def test_seeds_give_one_table_with_mean_and_deviation(tmp_path, config, capsys):
    asked = ["train", "--config", str(config), "--seeds", "0,1,2", "--out", str(tmp_path / "s")]
    app([*asked, "--json"], standalone_mode=False)
    (said,) = check_lines(capsys.readouterr().out)
    (setting,) = said["settings"]
    goals = [run["scores"]["goal"] for run in setting["runs"]]
    assert setting["mean"]["goal"] == pytest.approx(np.mean(goals), abs=1e-5)
    assert setting["sd"]["goal"] == pytest.approx(np.std(goals, ddof=1), abs=1e-5)
    assert [run["name"] for run in setting["runs"]] == ["seed-0", "seed-1", "seed-2"]
    alone = train(config=config, seed=1, out=tmp_path / "alone")
    assert alone.scores == pytest.approx(setting["runs"][1]["scores"], abs=1e-5)
    app(asked, standalone_mode=False)
    assert f"{np.mean(goals):.2f} ± {np.std(goals, ddof=1):.2f}" in capsys.readouterr().out


def test_a_sweep_resumes_and_a_failing_run_stops_no_other(tmp_path, own):
    text = '[sweep]\nmethod = "grid"\n[sweep.values]\n"training.rate" = [1e-3, 1e30]\n[model]'
    path = written(tmp_path / "run.toml", f"out = {json.dumps(str(tmp_path / 's'))}\n{text}", own)
    notes: list[str] = []
    first = sweep(path, notify=notes.append)
    rates = [setting.values["training.rate"] for setting in first.settings]
    assert rates == [1e-3, 1e30]
    good, bad = (setting.runs[0] for setting in first.settings)
    assert good.error is None
    assert "not finite" in (bad.error or "")
    assert first.best == 0
    assert any(note.startswith("run 2 of 2: rate=1e+30-") for note in notes)
    check_lines(json_line(first))
    log = tmp_path / "s" / good.name / "log.jsonl"
    before = log.stat().st_mtime_ns
    lines = log.read_text()
    assert sweep(path).settings[0] == first.settings[0]
    assert log.read_text() == lines
    assert log.stat().st_mtime_ns >= before


def test_a_wrong_value_in_a_sweep_comes_before_any_run(tmp_path, own):
    text = '[sweep.values]\n"model.width" = [16, -1]\n[model]'
    path = written(tmp_path / "run.toml", f"out = {json.dumps(str(tmp_path / 's'))}\n{text}", own)
    with pytest.raises(UsageError, match="width"):
        sweep(path)
    assert not (tmp_path / "s").exists()


def test_one_run_is_not_a_sweep_and_a_sweep_not_one_run(tmp_path, config, own):
    with pytest.raises(UsageError, match="no seeds and no sweep"):
        sweep(config)
    text = "seeds = [0, 1]\n[model]"
    with pytest.raises(UsageError, match="makes several runs"):
        train(config=written(tmp_path / "many.toml", text, own))


def test_a_damaged_head_is_no_start(tmp_path, config, own):
    (tmp_path / "bad.rdmf").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(RdmfError, match="damaged"):
        train(config=config, out=tmp_path / "a", init=tmp_path / "bad.rdmf")


def test_exported_bytes_are_those_of_the_same_weights(tmp_path, config):
    ended = train(config=config, out=tmp_path / "a")
    one, two = (export(ended.model, tmp_path / name) for name in ("1.rdmf", "2.rdmf"))
    assert one.read_bytes() == two.read_bytes()
    network = load(ended.model)
    assert write_head(network, tmp_path / "3.rdmf").stat().st_size

"""The configuration of a run: what a file may contain, which value wins, and how it is printed."""

from __future__ import annotations

import json

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from rdmf_cli.api.training import run_config
from rdmf_cli.cli.app import app
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.training.config import RunConfig, as_toml, read_config
from rdmf_cli.training.sweep import Range, Sweep, run_name


def write(folder, text):
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_holds_every_choice(tmp_path):
    path = write(
        tmp_path,
        """
        seeds = [3, 5]
        init = "shipped"
        [data]
        dataset = "charades"
        val = "test"
        [model]
        width = 32
        dilations = [1, 2]
        [losses]
        iou = 2
        [augmentation]
        backwards = 0.0
        [training]
        rate = 1e-3
        """,
    )
    read = read_config(path)
    assert (read.seeds, read.init, read.data.val) == ((3, 5), "shipped", "test")
    assert read.training.rate == 1e-3
    assert read.changes == {
        "model.width": 32,
        "model.dilations": [1, 2],
        "losses.iou": 2.0,
        "augmentation.backwards": 0.0,
    }


def test_what_is_printed_is_read_back_as_the_same(tmp_path):
    first = RunConfig().having(
        {"model.head": "full", "losses.rank": 0.1, "training.epochs": 3, "out": "a", "seeds": [1]}
    )
    assert read_config(write(tmp_path, as_toml(first))).tables == first.tables
    assert read_config(write(tmp_path, as_toml(first))).seeds == (1,)


def test_every_choice_of_the_model_the_losses_and_the_augmentation_is_printed():
    printed = tomlkit.parse(as_toml(RunConfig())).unwrap()
    assert {*printed} == {"data", "model", "losses", "augmentation", "training"}
    assert {"width", "fusion", "dropout", "overlap"} <= {*printed["model"]}
    assert {"mismatched", "cropped"} <= {*printed["augmentation"]}
    assert "# probability of reversing a video" in as_toml(RunConfig())


def test_arguments_win_over_the_file(tmp_path):
    path = write(tmp_path, '[training]\nrate = 1e-3\nepochs = 9\n[model]\nfusion = "none"\n')
    both = run_config(path, epochs=2, dataset="tacos")
    assert (both.training.epochs, both.training.rate) == (2, 1e-3)
    assert (both.data.dataset, both.model["fusion"]) == ("tacos", "none")


def test_the_command_prints_the_file_with_its_options(tmp_path, capsys):
    path = write(tmp_path, "[training]\nrate = 1e-3\n")
    asked = ["--config", str(path), "--epochs", "2", "--seeds", "0,1", "--print-config"]
    app(["train", *asked], standalone_mode=False)
    printed = tomlkit.parse(capsys.readouterr().out).unwrap()
    assert (printed["training"]["epochs"], printed["training"]["rate"]) == (2, 1e-3)
    assert printed["seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[model]\nwidht = 3",
            "model.widht: there is no such setting; did you mean width? the settings here are: he",
        ),
        ("[model]\nencoder = 'x'", "model.encoder: there is no such setting; the settings here"),
        ("[model]\nwidth = 'wide'", "model.width must be a whole number, not 'wide'"),
        ("[model]\nhead = 'ful'", "model.head must be 'universal' or 'full', not 'ful'"),
        ("model = 3", "model must hold named values, not 3"),
        ("[data]\nfeature = 'x'", "data.feature: there is no such setting; did you mean features?"),
        ("[data]\nstreams = 'x'", "data.streams must be a list, not 'x'"),
        ("[data]\nclip_length = 0", "data.clip_length must be at least 0.05, not 0"),
        ("[model]\nfusion = 'magnetic'", "no such fusion"),
        ("[model]\nheads = 5", "not a multiple of heads"),
        ("[losses]\niou = -1", "losses.iou must be at least 0, not -1"),
        ("[losses]\niou = inf", "losses.iou must be a finite number, not inf"),
        ("[losses]\ntaste = 1", "losses.taste: there is no such setting"),
        ("[augmentation]\nbackwards = 2", "augmentation.backwards must be at most 1, not 2"),
        ("[training]\nepochs = '3'", "training.epochs must be a whole number, not '3'"),
        ("[training]\nepoch = 3", "training.epoch: there is no such setting; did you mean epochs?"),
        ("[training]\nrate = -1.0", "training.rate must be above 0, not -1.0"),
        ("[training]\nprecision = 'half'", "training.precision must be 'auto', 'float32' or 'bfl"),
        ("seeds = [-1]", "seeds[0] must be at least 0, not -1"),
        ("seeds = 3", "seeds must be a list, not 3"),
        ("colour = 3", "colour: there is no such setting; the settings here are: data, model"),
        ("modle = 3", "modle: there is no such setting; did you mean model?"),
        (
            "[sweep]\nvalues = {rate = [1]}",
            "also write the table of the setting, for example training.rate",
        ),
        ("[sweep.values]\n'training.rat' = [1]", "sweep.values: training.rat: there is no such"),
        (
            "[sweep.values]\n'training.rate' = [1, -1]",
            "sweep.values: training.rate must be above 0",
        ),
        ("[sweep.values]\n'training.rate' = []", "sweep.values.training.rate must have at least 1"),
        ("[sweep]\nmethod = 'x'", "sweep.method must be 'grid' or 'random', not 'x'"),
        ("[sweep.values]\n'training.rate' = {low = 1e-4, high = 1e-3}", "a grid needs a list"),
        (
            "[sweep]\nmethod = 'random'\nvalues = {'training.rate' = [1]}",
            "needs runs (the number of",
        ),
    ],
)
def test_an_error_names_the_file_and_the_choice(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_config(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("rdmf train --print-config shows all choices")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"hold_out": 2.0}, "--hold-out must be at least 0 and below 1, not 2.0"),
        ({"rate": 0.0}, "--rate must be above 0, not 0.0"),
        ({"hold_out": 0.0, "patience": 3}, "--patience needs held-out videos"),
    ],
)
def test_an_error_names_the_option(tmp_path, told, said):
    path = write(tmp_path, "[training]\nepochs = 3")
    with pytest.raises(UsageError) as caught:
        run_config(path, **told)
    assert str(caught.value) == f"{said}; see rdmf train --help"


def test_a_file_that_is_not_toml_is_an_error_with_its_place(tmp_path):
    with pytest.raises(RdmfError, match=r"is not TOML .*line 2"):
        read_config(write(tmp_path, "a = 1\nb = \n"))
    with pytest.raises(FileNotFoundError):
        read_config(tmp_path / "none.toml")


def test_a_grid_has_every_combination():
    tried = {"training.rate": [1e-4, 1e-3], "model.width": [16, 32, 64]}
    combinations = list(Sweep(values=tried).combinations())
    assert len(combinations) == 6
    assert {(c["training.rate"], c["model.width"]) for c in combinations} == {
        (rate, width) for rate in (1e-4, 1e-3) for width in (16, 32, 64)
    }


@given(
    low=st.floats(1e-6, 1e3),
    factor=st.floats(1.01, 1e3),
    log=st.booleans(),
    whole=st.booleans(),
    seed=st.integers(0, 99),
)
def test_what_is_drawn_lies_in_its_range_and_a_longer_sweep_begins_alike(
    low, factor, log, whole, seed
):
    high = low * factor + (2 if whole else 0)
    values = {"training.rate": Range(low=low, high=high, log=log, whole=whole)}
    short, longer = (
        [c["training.rate"] for c in Sweep(method="random", runs=n, seed=seed, values=values)
         .combinations()]
        for n in (5, 9)
    )  # fmt: skip
    assert longer[:5] == short
    assert all(low <= value <= high for value in longer)
    assert not whole or all(value == int(value) for value in longer)


def test_names_of_runs_differ_with_their_values_and_are_file_names():
    values = [{"a.b": 1}, {"a.b": 2}, {"a.b": "1"}, {"a.b": "../x"}, {"a.b": [1, 2]}]
    names = [run_name(one) for one in values]
    assert len({*names}) == len(names)
    assert not any({"/", "\\", " "} & {*name} for name in names)


@pytest.mark.parametrize("wrong", ["0,0", "a", "-1", ""])
def test_a_seed_list_is_checked(wrong, capsys):
    with pytest.raises(SystemExit):
        app(["train", "--features", "f", "--seeds", wrong], standalone_mode=False)
    assert "--seeds" in capsys.readouterr().err


def test_the_configuration_is_json_in_the_record():
    assert json.loads(json.dumps(RunConfig().tables)) == RunConfig().tables

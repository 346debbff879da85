"""A head in a folder: loading returns what was saved, and every fault gives an error."""

from __future__ import annotations

import json

import pytest
import torch
from made_up_batches import inputs, network, question, small
from made_up_sets import SETS, write_own
from safetensors.torch import load_file

from rdmf_cli import api
from rdmf_cli.datasets import open_annotations, open_samples
from rdmf_cli.errors import RdmfError
from rdmf_cli.heads.learned.config import require_space
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.heads.learned.torch import checkpoint
from rdmf_cli.heads.learned.torch.batch import collate
from rdmf_cli.heads.learned.torch.restore import load_network
from rdmf_cli.heads.learned.torch.torch_head import TorchHead
from rdmf_cli.heads.registry import load_head
from rdmf_cli.training.retrieval import config_for


@pytest.fixture
def saved(tmp_path):
    made = network(small("full"))
    return checkpoint.save(tmp_path / "head", made, {"dataset": "charades"}), made


@pytest.mark.parametrize("head", ["universal", "full", "words-only"])
@pytest.mark.parametrize("fusion", ["reaction-diffusion", "gaussian"])
def test_what_is_loaded_answers_alike(tmp_path, head, fusion):
    made = network(small(head, fusion=fusion, slots="random"))
    again = checkpoint.load(checkpoint.save(tmp_path / "head", made))
    assert again.config == made.config
    assert not again.training
    mine, its = (TorchHead(n).read(question(made.config, 15), top_k=5) for n in (made, again))
    assert (mine.spans == its.spans).all()
    assert (mine.raw_scores == its.raw_scores).all()
    batch = collate([inputs(made.config, 15)])
    with torch.no_grad():
        assert made.fuse(batch).presence == again.fuse(batch).presence


def test_config_json_says_what_it_is(saved):
    folder, made = saved
    told = json.loads((folder / "config.json").read_text())
    assert told["schema"] == "rdmf.model/1"
    assert told["config"]["video_width"] == made.config.video_width
    assert told["about"] == {"dataset": "charades"}
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "weights.safetensors"]


def test_saving_again_replaces_it(saved):
    folder, _ = saved
    other = network(small(), seed=1)
    checkpoint.save(folder, other)
    assert checkpoint.load(folder).config == other.config


@pytest.mark.parametrize("part", ["config.json", "weights.safetensors"])
def test_a_part_that_is_missing(saved, part):
    folder, _ = saved
    (folder / part).unlink()
    said = rf"{part}: this part of a checkpoint cannot be read \(No such file.*config.json and weig"
    with pytest.raises(RdmfError, match=said):
        checkpoint.load(folder)


def test_a_run_and_its_checkpoint_are_found(saved, tmp_path):
    folder, _ = saved
    run = tmp_path / "run"
    run.mkdir()
    folder.rename(run / "model")
    assert checkpoint.find(run) == checkpoint.find(run / "model") == run / "model"


def a_file(place):
    place.write_text("{}")


def an_empty_folder(place):
    place.mkdir()


def a_run_that_has_not_ended(place):
    place.mkdir()
    (place / "log.jsonl").write_text("{}")


def two_runs(place):
    for name in ("seed-0", "seed-1"):
        (place / name / "model").mkdir(parents=True)
        (place / name / "model" / "config.json").write_text("{}")


NO_RUNS = {
    None: "place: there is no such folder; give the folder that `rdmf train` wrote",
    a_file: "place is a file, not the folder of a run; give the folder",
    an_empty_folder: "place is no run of `rdmf train`: it holds no model/config.json with",
    a_run_that_has_not_ended: "place holds a run that has not ended, so it has no head yet",
    two_runs: "place holds 2 runs; give the folder of one run: {}/seed-0, {}/seed-1",
}


@pytest.mark.parametrize("make", NO_RUNS)
def test_a_folder_that_is_no_run_is_described(tmp_path, make):
    place = tmp_path / "place"
    if make:
        make(place)
    with pytest.raises(RdmfError) as caught:
        api.export(place, tmp_path / "a.rdmf")
    assert NO_RUNS[make].replace("{}", str(place)) in str(caught.value)
    if make not in (None, a_file):  # --init and --checkpoint take files, too
        for load in (lambda: load_network(str(place)), lambda: load_head(checkpoint=place)):
            with pytest.raises(RdmfError) as again:
                load()
            assert str(again.value) == str(caught.value)


@pytest.mark.parametrize("kept", [0, 4, 300, -20])
def test_weights_that_are_cut(saved, kept):
    path = saved[0] / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        RdmfError, match=r"safetensors: these weights are damaged .*copy the folder again"
    ):
        checkpoint.load(saved[0])


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "rdmf.model/1"}', '{"config": {}}'])
def test_a_configuration_that_is_none(saved, content):
    (saved[0] / "config.json").write_text(content)
    with pytest.raises(RdmfError, match=r"config\.json: not a valid configuration of a head"):
        checkpoint.load(saved[0])


def changed(folder, **changes):
    path = folder / "config.json"
    told = json.loads(path.read_text())
    told["config"] |= changes
    path.write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": 0}, "config.json: width must be at least 1, not 0"),
        ({"colour": 3}, "config.json: colour: there is no such setting"),
        ({"width": 32}, "weights.safetensors: these weights do not fit the model"),
        ({"blocks": 1}, "weights.safetensors: these weights do not fit the model"),
        (
            {"channels": ["smell"]},
            "config.json: it was trained with the channels smell, but this version",
        ),
    ],
)
def test_a_configuration_that_does_not_fit(saved, changes, said):
    changed(saved[0], **changes)
    with pytest.raises(RdmfError, match=said):
        checkpoint.load(saved[0])


def test_a_later_schema(saved):
    path = saved[0] / "config.json"
    path.write_text(path.read_text().replace("rdmf.model/1", "rdmf.model/7"))
    with pytest.raises(RdmfError, match=r"its schema is rdmf.model/7, not rdmf.model/1"):
        checkpoint.load(saved[0])


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RdmfError, match="the checkpoint cannot be written"):
        checkpoint.save(tmp_path / "file" / "head", network(small()))


# --------------------------------------------------------------------- which features fit


def samples_of(name, folder):
    features = SETS[name](folder, 3, 2)
    dataset, annotations = open_annotations(name, folder=features, split="train")
    return open_samples(dataset, annotations, features=features)


def test_a_full_head_fits_the_features_it_was_made_for(tmp_path):
    samples = samples_of("qvhighlights", tmp_path)
    config = config_for(samples)
    assert (config.video_width, config.sentence_width, config.words_width) == (40, 16, 16)
    assert config.matching == (0, 16)
    assert config.clip_length == 2.0
    require_space(config, samples.space)


def test_a_full_head_meets_features_of_other_widths(tmp_path):
    config = config_for(samples_of("qvhighlights", tmp_path / "one"))
    others = samples_of("charades-vgg", tmp_path / "other")
    said = (
        "trained on features of 40 columns per clip, 16 per word, sentences of 16, "
        "these have 24 columns per clip, 10 per word, no sentences; give features of its encoder"
    )
    with pytest.raises(RdmfError, match=said):
        require_space(config, others.space)
    require_space(small(), others.space)  # a universal head reads no widths


def test_a_full_head_meets_another_encoder(tmp_path):
    features = write_own(tmp_path, 2, 1)
    dataset, annotations = open_annotations(
        "train.jsonl", features / "train.jsonl", folder=features
    )
    samples = open_samples(dataset, annotations, features=features)
    samples.encoder_name = "embedded"
    config = config_for(samples, encoder="ViT-B-32/openai")
    said = "trained on features of ViT-B-32/openai, not of embedded"
    with pytest.raises(RdmfError, match=said):
        require_space(config, samples.space)


def test_the_file_holds_the_networks_own_names(saved):
    weights = load_file(saved[0] / "weights.safetensors")
    state = saved[1].state_dict()
    assert weights.keys() == state.keys()
    assert all(torch.equal(weights[name], x) for name, x in state.items())


def test_weights_of_torch_alone_are_told_from_a_damaged_head(tmp_path):
    """`rdmf train` writes best.pt beside the folder of the head."""
    torch.save({"model": {"x": torch.ones(3)}}, tmp_path / "best.pt")
    with pytest.raises(RdmfError, match=r"torch weights alone.*or the folder model"):
        LearnedHead.load(tmp_path / "best.pt")

"""Exported heads: ONNX Runtime and torch give equal results."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from random_heads import FULL, random_network, sample

from rdmf_cli.channels.inputs import inputs_of
from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion.module import ReactionDiffusion
from rdmf_cli.heads.learned.archive import OnnxGraphs
from rdmf_cli.heads.learned.torch.batch import collate
from rdmf_cli.heads.learned.torch.export import TorchGraphs, export, exported
from rdmf_cli.heads.learned.torch.network import Network, choose_slots
from rdmf_cli.heads.learned.windows import fuse, fuse_all, read_all

KINDS = {
    "universal": {},
    "random slots": {"fusion": "convolution", "slots": "random"},
    "full": FULL,
    "words alone": {
        **FULL,
        "fusion": "joint-attention",
        "matching": None,
        "sentence_width": None,
    },
}
LENGTHS = (1, 2, 7, 75, 300)
CLOSE = {"rtol": 1e-5, "atol": 1e-4}


@pytest.fixture(scope="module", params=KINDS)
def both(request: pytest.FixtureRequest) -> tuple[Network, OnnxGraphs]:
    """A network and its export."""
    network = random_network(**KINDS[request.param])
    return network, OnnxGraphs(exported(network), "here")


def test_every_part_says_what_torch_says(both):
    network, graphs = both
    for clips in LENGTHS:
        inputs = inputs_of(sample(clips), network.config)
        batch = collate([inputs])
        with torch.no_grad():
            fused = network.fuse(batch)
            slots, real = choose_slots(network, fused, batch.mask)
            decoded = network.decode(fused, batch.mask, slots, real)
        found = fuse(graphs, inputs)
        for name in ("features", "pattern", "saliency", "curves"):
            want = getattr(fused, name)[0].numpy()
            np.testing.assert_allclose(getattr(found, name), want, **CLOSE)
        np.testing.assert_allclose(found.presence, fused.presence.item(), **CLOSE)
        spans, scores = graphs.run(
            "decode",
            features=fused.features.numpy(),
            curves=fused.curves.numpy(),
            clip_length=np.array([inputs.clip_length], np.float32),
            slots=slots.numpy(),
            slot_mask=real.numpy().astype(np.float32),
        )
        np.testing.assert_allclose(spans, decoded.spans.numpy(), **CLOSE)
        np.testing.assert_allclose(scores, decoded.scores.numpy(), **CLOSE)


def test_videos_of_one_length_run_together_as_each_alone(both):
    _, graphs = both
    for clips in (1, 5, 75):
        some = [inputs_of(sample(clips, seed), graphs.config) for seed in range(3)]
        for one, together in zip(some, fuse_all(graphs, some), strict=True):
            alone = fuse(graphs, one)
            for name in ("features", "pattern", "saliency", "presence", "curves"):
                np.testing.assert_allclose(
                    getattr(together, name), getattr(alone, name), **CLOSE, err_msg=name
                )


class OneByOne:
    """Graphs as in heads of older exports: one video per run, and no mask of the slots."""

    takes_many = False

    def __init__(self, graphs):
        self.config, self.graphs = graphs.config, graphs

    def run(self, graph, **inputs):
        assert {len(x) for x in inputs.values()} == {1}
        assert np.all(inputs.get("slot_mask", 1.0))
        return self.graphs.run(graph, **inputs)


def test_heads_of_older_exports_answer_alike(both):
    _, graphs = both
    questions = [sample(clips, seed=clips) for clips in (12, 30, 300, 30)]
    together, alone = (read_all(x, questions) for x in (graphs, OneByOne(graphs)))
    for (field, found), (own_field, own_found) in zip(together, alone, strict=True):
        np.testing.assert_allclose(field.pattern, own_field.pattern, **CLOSE)
        np.testing.assert_allclose(found.spans, own_found.spans, **CLOSE)
        np.testing.assert_allclose(found.scores, own_found.scores, **CLOSE)


def test_a_network_can_be_run_by_parts_without_export(both):
    network, by_onnx = both
    inputs = inputs_of(sample(40), network.config)
    by_torch = TorchGraphs(network)
    assert by_torch.config == by_onnx.config == network.config
    one, other = fuse(by_torch, inputs), fuse(by_onnx, inputs)
    np.testing.assert_allclose(one.pattern, other.pattern, **CLOSE)


def test_the_same_weights_are_the_same_bytes_and_stay_as_they_were(tmp_path):
    network = random_network().train()
    before = {name: x.clone() for name, x in network.state_dict().items()}
    path = export(network, tmp_path / "head.rdmf", about={"dataset": "qvhighlights"})
    assert path.read_bytes() == exported(network, {"dataset": "qvhighlights"})
    assert len(path.read_bytes()) < 2e6
    assert [file.name for file in tmp_path.iterdir()] == ["head.rdmf"]
    assert network.training
    assert isinstance(network.blocks[0].fusion.evolve, ReactionDiffusion)
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(x, before[name]) for name, x in network.state_dict().items())


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(
        RdmfError, match=r"head.rdmf: the head cannot be written .*make this folder"
    ):
        export(random_network(), tmp_path / "none" / "head.rdmf")

"""Options of reaction-diffusion in a head: a pattern that reacts, a pool, rates of the query."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up_batches import network, question, small

from rdmf_cli.channels.inputs import inputs_of
from rdmf_cli.errors import RdmfError
from rdmf_cli.heads.learned.archive import OnnxGraphs
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.heads.learned.torch.batch import collate
from rdmf_cli.heads.learned.torch.export import TorchGraphs, exported
from rdmf_cli.heads.learned.torch.restore import restored
from rdmf_cli.heads.learned.torch.torch_head import TorchHead
from rdmf_cli.training.config import RunConfig

OPTIONS = {
    "reacting": ("universal", {"pattern": "reaction"}),
    "both": ("full", {"pattern": "both", "pool": True, "rates": "query", "time": "seconds"}),
    "words": ("words-only", {"rates": "query"}),
}


def fused(config, *asked):
    with torch.no_grad():
        return network(config).fuse(collate([inputs_of(one, config) for one in asked]))


@pytest.mark.parametrize("name", ["reacting", "both"])
def test_an_exported_head_answers_as_in_torch(name):
    head, options = OPTIONS[name]
    config = small(head, **options)
    model = network(config)
    graphs = OnnxGraphs(exported(model), "head")
    for clips, clip_length in ((1, 2.0), (40, 2.0), (55, 1.3)):
        asked = replace(question(config, clips), clip_length=clip_length)
        onnx = LearnedHead(graphs).read(asked)
        for other in (TorchHead(model), LearnedHead(TorchGraphs(model))):
            read = other.read(asked)
            np.testing.assert_allclose(read.v, onnx.v, atol=1e-4)
            np.testing.assert_allclose(read.saliency, onnx.saliency, atol=1e-4)
            np.testing.assert_allclose(read.spans, onnx.spans, atol=1e-2)


def test_the_weights_of_an_exported_head_can_be_read_back():
    model = network(small(pattern="both", pool=True))
    with torch.no_grad():
        for parameter in model.parameters():  # equal weights are stored once
            parameter.add_(0.1 * torch.randn_like(parameter))
    again = restored(exported(model), "head").state_dict()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(again[name], tensor)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_batch_with_padding_answers_as_each_alone(name):
    head, options = OPTIONS[name]
    config = small(head, **options)
    asked = [question(config, clips, seed=clips) for clips in (9, 24, 17)]
    asked[1] = replace(asked[1], clip_length=4.0)
    together = fused(config, *asked)
    for n, one in enumerate(asked):
        alone = fused(config, one).pattern[0]
        torch.testing.assert_close(together.pattern[n, :, : len(one)], alone)


def test_rates_start_shared_and_then_follow_the_query():
    config = small("full", rates="query")
    torch.manual_seed(0)
    model = network(config)
    fusion = model.blocks[0].fusion
    queries = torch.randn(2, config.projection)
    with torch.no_grad():
        one, other = fusion.evolve.learned(fusion.rate_shifts(queries)).dt
        assert not torch.equal(one, other)
        fusion.shift[-1].weight.zero_()
        same = fusion.evolve.learned(fusion.rate_shifts(queries)).dt
    torch.testing.assert_close(same, fusion.evolve.learned().dt.expand(2, -1))


def test_a_universal_head_has_no_query_to_take_rates_from():
    with pytest.raises(RdmfError, match="a universal head does not read the query"):
        network(small(rates="query"))


def test_a_run_of_training_may_choose_the_options():
    model = {"head": "full", "pattern": "both", "pool": True, "rates": "query"}
    assert RunConfig(model=model).model == model


def test_a_reacting_pattern_reaches_further_by_its_own_steps():
    plain, reacting = small(), small(pattern="reaction")
    assert reacting.reach == plain.reach + plain.halo
    asked = question(small(), 60)
    moved = asked.rows.copy()
    moved[0] = -moved[0]
    config = small(pattern="reaction", time="clips")
    base, other = (inputs_of(x, config).channels for x in (asked, replace(asked, rows=moved)))
    change = np.zeros_like(base)
    change[0] = (
        other[0] - base[0]
    )  # only the first clip changes: channels depend on the whole video
    model, inputs = network(config), inputs_of(asked, config)
    with torch.no_grad():
        patterns = [
            model.fuse(collate([replace(inputs, channels=base + x)])).pattern for x in (0, change)
        ]
    far = (patterns[0] - patterns[1]).abs()[..., config.reach + 1 :]
    assert not far.any()

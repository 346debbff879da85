"""Which parts of a head matter: parts that a network does not use have importance 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from random_heads import FULL, random_network, sample
from torch import nn

from rdmf_cli.channels.inputs import inputs_of
from rdmf_cli.heads.learned.torch.batch import collate
from rdmf_cli.training.hyperparameters import Hyperparameters
from rdmf_cli.training.importance import Part, importances, spread
from rdmf_cli.training.losses import losses
from rdmf_cli.training.targets import collate_targets, target_of

LENGTHS = ((30, 12, 45), (7, 60))
SMALL = {"width": 16, "fusion_channels": 8, "slot_width": 16, "heads": 2, "blocks": 2}


def annotated(clips: int):
    """Make a sample whose middle is a moment."""
    made = sample(clips, seed=clips)
    windows = np.array([[clips * 0.6, clips * 1.2]])
    return replace(made, annotation=replace(made.annotation, windows=windows))


def measured(network: nn.Module):
    shown = []
    for some in ([annotated(clips) for clips in lengths] for lengths in LENGTHS):
        inputs = collate([inputs_of(one, network.config) for one in some])
        shown.append((inputs, collate_targets([target_of(one) for one in some])))

    def loss(batch, targets):
        return losses(network, batch, targets, Hyperparameters())["total"].item()

    whole, found = importances(network, shown, loss)
    return whole, {one.part: one for one in found}, shown, loss


@pytest.mark.parametrize("config", [SMALL, {**SMALL, **FULL}], ids=["universal", "full"])
def test_unused_parts_have_importance_0_and_used_parts_do_not(config):
    network = random_network(**config)
    channels = network.config.channels
    unused = [Part("input", channels[3]), Part("fusion", "2 ±4")]
    with torch.no_grad():
        network.embed[0].weight[:, 3] = 0
        evolve = network.blocks[1].fusion.evolve
        own = evolve.groups[2].channels
        C = evolve.channels
        for first in (0, C):  # the columns of u, then of v
            network.blocks[1].fusion.out.weight[:, first + own.start : first + own.stop] = 0
    _, found, *_ = measured(network)
    assert [found[part].rise for part in unused] == [0.0, 0.0]
    names = {part.name for part in found if part.kind == "input"}
    assert names == {*channels, *(("video", "sentence", "words") if "head" in config else ())}
    assert sum(part.kind == "fusion" for part in found) == 8
    used = [one for part, one in found.items() if part not in unused and part.name != "words"]
    assert all(one.rise != 0.0 for one in used)


def test_the_rise_is_that_of_the_loss_with_the_mean_in_place_of_the_channel():
    network = random_network(**SMALL)
    whole, found, shown, loss = measured(network)
    rows = torch.cat([batch.channels[batch.mask] for batch, _ in shown])
    rises = []
    for batch, targets in shown:
        channels = batch.channels.clone()
        channels[..., 3][batch.mask] = rows[:, 3].mean()
        rises.append(loss(batch._replace(channels=channels), targets) - loss(batch, targets))
    one = found[Part("input", network.config.channels[3])]
    assert one.rise == pytest.approx(sum(rises) / 2, abs=1e-5)
    assert one.error == pytest.approx(abs(rises[0] - rises[1]) / 2, abs=1e-5)
    assert whole == pytest.approx(sum(loss(*s) for s in shown) / 2)
    assert len(network.blocks[0].fusion.evolve._forward_hooks) == 0


def test_a_sample_is_spread_evenly():
    assert spread(5) == [0, 1, 2, 3, 4]
    assert spread(640)[:3] == [0, 10, 20]
    assert len({*spread(1000)}) == 64

"""How clips exchange in each fusion: which clips affect which, and no effect of masked clips."""

from __future__ import annotations

import pytest
import torch
from made_up_batches import small

from rdmf_cli.heads.learned.fusions import FUSIONS
from rdmf_cli.heads.learned.torch.blocks import Context
from rdmf_cli.heads.learned.torch.fusions import gaussians, positions, recurrence

L = 30
UNLIMITED = ("joint-attention", "cross-attention", "gated-recurrence")


def fused(name, x, **changes):
    """Run the fusion on clips (1, L, W), without words, with all edges open."""
    torch.manual_seed(1)
    fusion = FUSIONS[name].load()(small(fusion=name, **changes)).eval()
    mask = torch.ones(1, x.shape[1], dtype=torch.bool)
    with torch.no_grad():
        return fusion(x, Context(mask, torch.ones(1, x.shape[1] - 1)))


def reach(name, **changes):
    """Return the clips that a change of clip 15 affects."""
    torch.manual_seed(0)
    x = torch.randn(1, L, 16)
    other = x.clone()
    other[0, 15] += 1.0
    moved = (fused(name, x, **changes) - fused(name, other, **changes)).abs().amax(-1)[0]
    return torch.nonzero(moved > 1e-7)[:, 0].tolist()


def test_without_fusion_a_clip_is_alone():
    assert reach("none") == [15]


def test_reaction_diffusion_reaches_steps_times_the_longest_dilation():
    by_ones, by_twos = range(12, 19), range(9, 22, 2)
    seen = reach("reaction-diffusion", steps=3, dilations=(1, 2))
    assert seen == sorted({*by_ones, *by_twos})


def test_convolutions_reach_as_far_and_no_further_than_their_taps():
    assert reach("convolution", steps=3, dilations=(1, 2)) == list(range(9, 22))
    assert reach("convolution", steps=12, dilations=(1, 8), taps=9) == list(range(11, 20))
    assert set(reach("gaussian", steps=3, dilations=(1, 2))) <= set(range(9, 22))


@pytest.mark.parametrize("name", UNLIMITED)
def test_attention_and_recurrence_reach_everywhere(name):
    assert reach(name) == list(range(L))


@pytest.mark.parametrize("name", [name for name in FUSIONS if name not in UNLIMITED])
@pytest.mark.parametrize("changes", [{"steps": 3, "dilations": (1, 2)}, {"steps": 2, "taps": 5}])
def test_a_fusion_reaches_no_further_than_its_entry_says(name, changes):
    config = small(fusion=name, **changes)
    most = FUSIONS[name].reach(config)
    assert all(abs(clip - 15) <= most for clip in reach(name, **changes))
    assert config.reach == config.blocks * most


def test_an_edge_that_is_closed_is_not_crossed():
    fusion = FUSIONS["reaction-diffusion"].load()(small()).eval()
    x = torch.randn(1, L, 16)
    other = x.clone()
    other[0, 15] += 1.0
    edges = torch.ones(1, L - 1)
    edges[0, 12] = 0.0  # between clips 12 and 13
    context = Context(torch.ones(1, L, dtype=torch.bool), edges)
    with torch.no_grad():
        moved = (fusion(x, context) - fusion(other, context)).abs().amax(-1)[0]
    assert not moved[:13].any()
    assert moved[13:19].all()


@pytest.mark.parametrize("name", ["joint-attention", "cross-attention"])
def test_words_are_heard_and_masked_words_are_not(name):
    torch.manual_seed(0)
    fusion = FUSIONS[name].load()(small("full", fusion=name)).eval()
    x, words = torch.randn(1, L, 16), torch.randn(1, 4, 16)
    mask, edges = torch.ones(1, L, dtype=torch.bool), torch.ones(1, L - 1)
    heard = torch.tensor([[True, True, False, False]])
    with torch.no_grad():
        base = fusion(x, Context(mask, edges, words, heard))
        for word, matters in ((1, True), (3, False)):
            other = words.clone()
            other[0, word] += 1.0
            same = torch.equal(base, fusion(x, Context(mask, edges, other, heard)))
            assert same != matters
        nothing = fusion(x, Context(mask, edges, words, torch.zeros_like(heard)))
    assert torch.isfinite(nothing).all()


def test_the_weights_of_a_recurrence_are_its_steps():
    torch.manual_seed(0)
    rate, x = 2 * torch.rand(3, L).double(), torch.randn(3, L).double()
    rate[:, 5:9] = 0.0  # at masked clips the state does not change
    h, states = torch.zeros(3).double(), []
    for t in range(L):
        h = torch.exp(-rate[:, t]) * h + rate[:, t] * x[:, t]
        states.append(h)
    weights = recurrence(rate)
    torch.testing.assert_close((weights @ x[..., None])[..., 0], torch.stack(states, -1))
    assert recurrence(1e6 * rate.float()).isfinite().all()


def test_gaussian_kernels_keep_a_constant():
    kernels = gaussians(5, 33)
    assert kernels.shape == (5, 1, 33)
    torch.testing.assert_close(kernels.sum(-1), torch.ones(5, 1))
    widths = (kernels * (torch.arange(33) - 16.0) ** 2).sum(-1)[:, 0]
    assert (widths.diff() > 0).all()


def test_positions_tell_clips_apart_however_many():
    places = positions(torch.zeros(1, 3000, 16))
    nearest = torch.cdist(places[:300], places[:300]) + 9 * torch.eye(300)
    assert nearest.min() > 1e-3
    torch.testing.assert_close(places[:50], positions(torch.zeros(1, 50, 16)))

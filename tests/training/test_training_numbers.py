"""The numbers of a training: rates, averages, weight decay, random numbers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toy_task import Smoother, options

from rdmf_cli.errors import UsageError
from rdmf_cli.training.averaging import Average, decay_at
from rdmf_cli.training.optimizer import adamw, decay_groups
from rdmf_cli.training.schedule import rate_share, warm_up_steps
from rdmf_cli.training.seeds import generator_of, of_sample, seed_of, shuffled


def test_the_schedule_step_by_step():
    shares = [rate_share(step, steps=10, warm_up=4) for step in range(10)]
    assert shares[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert shares[5:] == pytest.approx([0.9330127, 0.75, 0.5, 0.25, 0.0669873], abs=1e-7)
    assert rate_share(10, steps=10, warm_up=4) == 0.0


@given(steps=st.integers(1, 500), share=st.floats(0, 0.99))
def test_rates_rise_to_the_highest_then_fall(steps, share):
    warm_up = warm_up_steps(share, steps)
    shares = [rate_share(step, steps, warm_up) for step in range(steps)]
    assert all(0 < s <= 1 for s in shares)
    assert shares[warm_up] == 1
    assert shares[:warm_up] == sorted(shares[:warm_up])
    assert shares[warm_up:] == sorted(shares[warm_up:], reverse=True)


def test_the_average_is_its_formula():
    model = nn.Linear(2, 1, bias=False)
    history = torch.randn(20, 1, 2, generator=torch.Generator().manual_seed(0))
    expected = model.weight.detach().clone().double()
    average = Average(model, decay=0.8)
    for update, weight in enumerate(history):
        with torch.no_grad():
            model.weight.copy_(weight)
        average.update(update)
        decay = min(0.8, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * weight.double()
    torch.testing.assert_close(average.model.weight.double(), expected, rtol=1e-6, atol=1e-6)
    assert decay_at(0, 0.8) == 0.1
    assert decay_at(1000, 0.8) == 0.8
    assert not average.model.weight.requires_grad


def test_buffers_are_copied_not_averaged():
    model = nn.BatchNorm1d(2)
    average = Average(model, decay=0.9)
    model.running_mean += 3
    average.update(0)
    assert torch.equal(average.model.running_mean, model.running_mean)


def test_without_a_decay_the_model_is_its_own_average():
    model = nn.Linear(2, 1)
    assert Average(model, None).model is model


def test_matrices_and_kernels_decay_and_nothing_else():
    model = Smoother(0)
    model.tied = model.read  # counted once
    model.norm.bias.requires_grad_(False)
    names = {parameter: name for name, parameter in model.named_parameters()}
    decaying, spared = decay_groups(model, 0.05)
    assert [names[p] for p in decaying["params"]] == ["mix.weight", "read.weight"]
    assert sorted(names[p] for p in spared["params"]) == [
        "mix.bias", "norm.weight", "read.bias", "scale",
    ]  # fmt: skip
    assert (decaying["weight_decay"], spared["weight_decay"]) == (0.05, 0.0)


def test_without_gradients_only_the_decaying_shrink():
    model = Smoother(0)
    optimizer = adamw(model, options(rate=0.1, weight_decay=0.5))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        share = 0.95 if name in ("mix.weight", "read.weight") else 1.0
        torch.testing.assert_close(parameter.detach(), share * before[name])


def test_an_epochs_order_holds_every_sample_once_and_is_its_own():
    orders = [shuffled(50, seed, epoch) for seed in (0, 1) for epoch in (1, 2)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert shuffled(50, 0, 1) == orders[0]


def test_seeds_differ_with_every_number_and_with_how_many_there_are():
    told = [(), (0,), (0, 0), (0, 0, 0), (1,), (1, 0), (0, 1), (2**40, 3)]
    assert len({seed_of(*numbers) for numbers in told}) == len(told)


def test_a_sample_has_its_own_chance_whatever_was_drawn_before():
    batch = generator_of(1, 2, 3)
    first = torch.rand(3, generator=of_sample(batch, 7))
    torch.rand(100, generator=batch)
    assert torch.equal(torch.rand(3, generator=of_sample(batch, 7)), first)
    assert not torch.equal(torch.rand(3, generator=of_sample(batch, 8)), first)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("epochs", 0, "epochs must be at least 1, not 0"),
        ("batch_size", 0, "batch_size must be at least 1"),
        ("rate", 0.0, "rate must be above 0"),
        ("rate", float("nan"), "rate must be above 0, not nan"),
        ("warm_up", 1.0, "warm_up must be at least 0 and below 1"),
        ("ema", 1.0, "ema must be at least 0 and below 1"),
        ("clip_norm", 0.0, "clip_norm must be above 0"),
        ("precision", "float16", "precision must be auto or float32 or bfloat16, not float16"),
        ("seed", -1, "seed must be at least 0"),
    ],
)
def test_options_that_cannot_be_are_refused(name, value, said):
    with pytest.raises(UsageError, match=said):
        options(**{name: value})

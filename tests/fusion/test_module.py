"""The torch module: learned rates stay in their bounds, and all backends give equal results."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion import Fields, Rates, evolve, turing
from rdmf_cli.fusion.module import (
    LearnedRates,
    ReactionDiffusion,
    initial_rates,
    turing_distance,
)

B, C, L = 2, 8, 30


@pytest.fixture
def fuse() -> ReactionDiffusion:
    torch.manual_seed(0)
    return ReactionDiffusion(C, steps=5, dilations=(1, 3)).double()


def inputs(length: int = L) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    u, v, u0, r = torch.rand(4, B, C, length, dtype=torch.float64, generator=generator)
    edges = torch.rand(B, length - 1, dtype=torch.float64, generator=generator)
    return {"u": u, "v": v, "u0": u0, "r": 2 * r, "edges": edges}


def test_it_is_evolve_group_by_group(fuse: ReactionDiffusion) -> None:
    given = inputs()
    got = fuse(**given)
    rates, edges = fuse.rates, given["edges"][:, None]
    for channels, dilation in ((slice(0, 4), 1), (slice(4, 8), 3)):
        parts = [given[name][:, channels] for name in ("u", "v", "u0", "r")]
        own = Rates(*(x[channels] for x in (rates.D_u, rates.D_v, rates.F, rates.k, rates.dt)))
        expected = evolve(
            parts[0], parts[1], u0=parts[2], r=parts[3], rates=own, steps=5,
            edges=edges, dilations=(dilation,),
        )  # fmt: skip
        torch.testing.assert_close(got.v[:, channels], expected.v)
        torch.testing.assert_close(got.u[:, channels], expected.u)


def test_padded_is_unpadded_and_batched_is_single(fuse: ReactionDiffusion) -> None:
    given, pad = inputs(), 9
    padded = {
        name: torch.nn.functional.pad(x, (0, pad), value=float("nan")) for name, x in given.items()
    }
    mask = torch.arange(L + pad).expand(B, -1) < L
    plain, after = fuse(**given), fuse(**padded, mask=mask)
    torch.testing.assert_close(after.v[..., :L], plain.v)
    assert (after.v[..., L:] == 0).all()
    single = fuse(**{name: x[1:] for name, x in given.items()})
    torch.testing.assert_close(single.v, plain.v[1:])


@pytest.mark.parametrize("backend", ["reference", "tiled"])
def test_gradients_are_finite_differences(backend: str) -> None:
    fuse = ReactionDiffusion(4, steps=3, dilations=(1, 2), backend=backend).double()
    given = {name: x[:, :4, :7] for name, x in inputs().items() if name != "edges"}
    edges = inputs()["edges"][:, :6]
    names = [name for name, _ in fuse.named_parameters()]
    parameters = [p.detach().clone().requires_grad_() for p in fuse.parameters()]
    tensors = [x.clone().requires_grad_() for x in given.values()]

    def run(*all_: torch.Tensor) -> Fields:
        fields, raw = all_[: len(given)], all_[len(given) :]
        arguments = {**dict(zip(given, fields, strict=True)), "edges": edges}
        return torch.func.functional_call(fuse, dict(zip(names, raw, strict=True)), (), arguments)

    assert torch.autograd.gradcheck(run, (*tensors, *parameters))


def saved_bytes(backend: str, steps: int) -> int:
    fuse = ReactionDiffusion(C, steps=steps, dilations=(1,), backend=backend)
    u, v, u0, r = torch.rand(4, B, C, 400)
    seen: dict[int, int] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        storage = x.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return x

    with saved_tensors_hooks(pack, lambda x: x):
        kept = fuse(u, v, u0=u0, r=r)
    assert kept.v.requires_grad
    return sum(seen.values())


def test_what_training_keeps_does_not_grow_with_the_steps() -> None:
    assert saved_bytes("tiled", 40) == saved_bytes("tiled", 5)
    field = B * C * 400 * 4
    assert saved_bytes("tiled", 40) < 9 * field  # u, v, u0, r, their scaled copies, and rates
    assert saved_bytes("reference", 40) > 5 * saved_bytes("tiled", 40)


def test_rates_start_where_they_should_and_stay_in_bounds() -> None:
    start = initial_rates(16, turing_share=0.25)
    assert turing(start).unstable.sum() == 4
    learned = LearnedRates(start)
    np.testing.assert_allclose(learned.rates.D_u, start.D_u, rtol=1e-5)
    np.testing.assert_allclose(learned.rates.k, start.k, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        for raw in learned.parameters():
            raw += 30 * torch.randn_like(raw)
    assert isinstance(learned.rates, Rates)  # Rates refuses impossible values
    step = learned()
    assert (step.kappa >= step.f).all()


@pytest.mark.parametrize("channels", [4, 5, 17])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_any_number_of_channels_and_any_share(channels: int, share: float) -> None:
    fuse = ReactionDiffusion(channels, steps=2, turing_share=share)
    u, v, u0, r = torch.rand(4, 1, channels, 20)
    assert fuse(u, v, u0=u0, r=r).v.shape == (1, channels, 20)
    assert fuse.halo == 2 * 8


def test_distance_is_zero_exactly_where_turings_conditions_hold() -> None:
    rng = np.random.default_rng(0)
    n = 2000
    D_u = rng.uniform(0.05, 0.5, n)
    rates = Rates(
        D_u=D_u, D_v=D_u / rng.uniform(1, 30, n), F=rng.uniform(0.01, 0.1, n),
        k=rng.uniform(0.02, 0.07, n),
    )  # fmt: skip
    columns = type(rates.per_step)(*(torch.as_tensor(x) for x in rates.per_step))
    distance = turing_distance(columns)
    unstable = turing(rates).unstable
    assert 0.1 < unstable.mean() < 0.9
    np.testing.assert_array_equal(distance.numpy() == 0, unstable)


def test_the_prior_brings_a_share_of_channels_into_the_turing_band() -> None:
    fuse = ReactionDiffusion(12, dilations=(1,), turing_share=0.0)
    assert not turing(fuse.rates).unstable.any()
    assert fuse.turing_prior() == 0
    fuse.turing_share = 0.5
    optimizer = torch.optim.Adam(fuse.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        fuse.turing_prior().backward()
        optimizer.step()
    assert turing(fuse.rates).unstable.sum() >= 6


def test_rates_are_learned_without_tuning() -> None:
    """Gradient descent on the rates alone reproduces a pattern that other rates made."""
    torch.manual_seed(0)
    teacher = ReactionDiffusion(4, steps=8, dilations=(1,), turing_share=1.0)
    student = ReactionDiffusion(4, steps=8, dilations=(1,), turing_share=0.0)
    u, v, u0, r = torch.rand(4, 4, 4, 40)
    with torch.no_grad():
        wanted = teacher(u, v, u0=u0, r=r).v
    optimizer = torch.optim.Adam(student.parameters(), lr=0.05)
    losses = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = (student(u, v, u0=u0, r=r).v - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_half_precision_comes_back_as_it_came() -> None:
    fuse = ReactionDiffusion(C, steps=20)
    u, v, u0, r = torch.rand(4, 1, C, 50).bfloat16()
    after = fuse(u, v, u0=u0, r=r)
    assert after.v.dtype == after.u.dtype == torch.bfloat16
    full = fuse(u.float(), v.float(), u0=u0.float(), r=r.float())
    assert torch.equal(after.v, full.v.bfloat16())


def test_it_can_be_exported(fuse: ReactionDiffusion) -> None:
    """Export with any number of clips; the reference path is traced."""
    fuse.float()
    given = {name: x.float() for name, x in inputs().items() if name != "edges"}
    clips = torch.export.Dim("clips", min=8, max=100_000)
    exported = torch.export.export(
        fuse, (), given, dynamic_shapes={name: {2: clips} for name in given}
    ).module()
    longer = {name: torch.cat([x, x], -1) for name, x in given.items()}
    torch.testing.assert_close(exported(**longer)[1], fuse(**longer).v)


def test_the_report_covers_every_channel(fuse: ReactionDiffusion) -> None:
    rows = fuse.analyze(r=np.linspace(0.5, 2.0, C), clip_seconds=1.0, length=200)
    assert [row.channel for row in rows] == list(range(C))
    assert {row.regime for row in rows} <= {
        "extinct", "bistable", "oscillatory", "turing", "undamped"
    }  # fmt: skip


def test_errors() -> None:
    with pytest.raises(RdmfError, match="2 channels for 4 dilations"):
        ReactionDiffusion(2)
    with pytest.raises(RdmfError, match="turing_share"):
        ReactionDiffusion(8, turing_share=2.0)

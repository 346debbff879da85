"""A pool that all clips share, and rates that differ from video to video."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.fusion.module import RATES, ReactionDiffusion, supply
from rdmf_cli.fusion.operators import laplacian

B, C, L = 3, 4, 30


def module(**changes) -> ReactionDiffusion:
    torch.manual_seed(0)
    return ReactionDiffusion(C, **{"steps": 7, "dilations": (1, 3), **changes}).double()


def drive(seed: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    u, v, u0, r = torch.rand(4, B, C, L, dtype=torch.float64, generator=generator)
    edges = torch.rand(B, L - 1, dtype=torch.float64, generator=generator)
    return {"u": u, "v": v, "u0": u0, "r": 3 * r, "edges": edges}


def shifts(scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return scale * torch.randn(B, RATES, C, dtype=torch.float64, generator=generator)


@settings(max_examples=25, deadline=None)
@given(st.floats(-40, 40), st.floats(0, 40))
def test_u_and_v_keep_their_bounds_for_every_thirst_and_shift(thirst, scale):
    fuse = module(pool=True)
    with torch.no_grad():
        fuse.raw_thirst.fill_(thirst)
        rates = fuse.learned(shifts(scale))
        after = fuse(**drive(), shifts=shifts(scale))
    assert all((a >= 0).all() and (a <= 0.5).all() for a in rates[:2])
    assert (rates.f >= 0).all()
    assert (rates.kappa >= rates.f).all()
    assert (after.u >= 0).all()
    assert (after.u <= 1 + 1e-12).all()
    assert (after.v >= 0).all()


def test_a_pool_without_thirst_and_shifts_of_zero_change_nothing():
    plain, pooled = module(), module(pool=True)
    given_ = drive()
    with torch.no_grad():
        pooled.raw_thirst.fill_(-800.0)
        want = plain(**given_)
        for same in (pooled(**given_), plain(**given_, shifts=0 * shifts())):
            torch.testing.assert_close(same.u, want.u)
            torch.testing.assert_close(same.v, want.v)


def test_a_strong_moment_starves_a_weak_one_out_of_its_reach():
    r = torch.full((1, C, 120), 0.1).double()
    r[..., 10:16] = 1.5  # weak
    both = r.clone()
    both[..., 80:110] = 8.0  # strong, more than 7 steps of 3 clips away
    weak = {}
    for pool in (False, True):
        fuse = module(pool=pool)
        with torch.no_grad():
            alone, beside = (fuse(x / 8, x / 8, u0=torch.ones_like(x), r=x) for x in (r, both))
        weak[pool] = [fields.v[..., 10:16].sum().item() for fields in (alone, beside)]
    assert weak[False][0] == pytest.approx(weak[False][1], abs=1e-12)
    assert weak[True][1] < 0.99 * weak[True][0]


def test_the_supply_depends_on_neither_padding_nor_clip_length():
    v, thirst = torch.rand(B, C, L).double(), torch.rand(C).double()
    mask = torch.arange(L + 9).expand(B, 1, -1) < L
    want = supply(v, thirst)
    padded = torch.nn.functional.pad(v, (0, 9))
    torch.testing.assert_close(supply(padded, thirst, mask), want)
    torch.testing.assert_close(supply(v.repeat_interleave(4, -1), thirst), want)
    assert (want <= 1).all()
    assert (want > 0).all()


@pytest.mark.parametrize("pool", [False, True])
def test_each_video_has_its_own_rates_whatever_the_backend(pool):
    given_, own = drive(), shifts()
    mask = torch.arange(L).expand(B, -1) < torch.tensor([[L], [L - 8], [L]])
    with torch.no_grad():
        by = {
            name: module(pool=pool, backend=name)(**given_, mask=mask, shifts=own)
            for name in ("reference", "tiled")
        }
        alone = [
            module(pool=pool)(
                **{name: x[n : n + 1] for name, x in given_.items()},
                mask=mask[n : n + 1],
                shifts=own[n : n + 1],
            )
            for n in range(B)
        ]
    torch.testing.assert_close(by["tiled"].u, by["reference"].u)
    torch.testing.assert_close(by["tiled"].v, by["reference"].v)
    torch.testing.assert_close(torch.cat([one.v for one in alone]), by["reference"].v)


def test_gradients_of_shifts_and_thirst_are_finite_differences():
    fuse = module(pool=True, steps=4, backend="tiled")
    given_ = {name: x[:2, ..., : 6 if name == "edges" else 7] for name, x in drive().items()}
    own = shifts()[:2].requires_grad_()
    thirst = fuse.raw_thirst.detach().clone().requires_grad_()

    def run(own, thirst):
        arguments = {**given_, "shifts": own}
        return torch.func.functional_call(fuse, {"raw_thirst": thirst}, (), arguments)

    assert torch.autograd.gradcheck(run, (own, thirst))


def test_the_decay_of_a_mode_is_exact_in_every_video():
    fuse = module(steps=1, dilations=(1,))
    wave = torch.cos(torch.pi * 3 * (torch.arange(L).double() + 0.5) / L).expand(B, C, -1)
    none = torch.zeros_like(wave)
    with torch.no_grad():
        rates = fuse.learned(shifts())
        after = fuse(wave, none, u0=none, r=none, shifts=shifts())
    a, f = rates.a_u[..., None], rates.f[..., None]
    torch.testing.assert_close(after.u * (1 + f), wave + a * laplacian(wave))
    mode = 2 - 2 * torch.cos(torch.tensor(torch.pi * 3 / L, dtype=torch.float64))
    torch.testing.assert_close(after.u * (1 + f), (1 - a * mode) * wave)

"""The fast GPU backend: one launch of a GPU kernel runs all steps, for channels of one dilation.

Training needs a second launch, for the gradients. Only videos of more than `LARGEST` clips may need
more launches, if there are many steps.

A GPU program holds BLOCK clips of one row (a channel of a video) in registers: its tile and, on
both sides, the halo on which N steps depend. `tl.gather` reads the neighbours of a clip. The fields
are read once and written once, for any N. The backward launch recomputes the states of its tile. It
writes the states into scratch memory and reuses this memory for the next tile. The halo of the
backward launch is 2 H, so that every program owns its part of the gradient. So the launch needs no
atomics, gives the same bits every time, and needs memory O(L C) for training.

With TRITON_INTERPRET=1 the same kernels run on the CPU, for tests.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from rdmf_cli.errors import RdmfError

SMALLEST, USUAL, LARGEST = 128, 1_024, 8_192  # clips per program
PROGRAMS_PER_PROCESSOR = 4  # in the backward launch; each program has its own scratch memory


@triton.jit
def _window(pid, tiles, core, halo, L, BLOCK: tl.constexpr):
    """Return a program's row, the clips that it holds, and which of these clips it writes."""
    row = pid // tiles
    first = (pid % tiles) * core
    clip = first - halo + tl.arange(0, BLOCK)
    inside = (clip >= 0) & (clip < L)
    owned = (clip >= first) & (clip < first + core) & inside
    return row, clip, inside, owned


@triton.jit
def _links(link_ptr, row, clip, C, L, d, WEIGHTED: tl.constexpr, BLOCK: tl.constexpr):
    """Return the weights of the edges to the right and left of every clip, 0 at the row's ends."""
    i = tl.arange(0, BLOCK)
    to_right = (clip >= 0) & (clip + d < L) & (i + d < BLOCK)
    to_left = (clip - d >= 0) & (clip < L) & (i >= d)
    if WEIGHTED:
        base = link_ptr + (row // C).to(tl.int64) * (L - d)
        right = tl.load(base + clip, mask=to_right, other=0.0)
        left = tl.load(base + clip - d, mask=to_left, other=0.0)
    else:
        right = tl.where(to_right, 1.0, 0.0)
        left = tl.where(to_left, 1.0, 0.0)
    return right, left


@triton.jit
def _laplacian(w, right, left, after, before):
    return right * (tl.gather(w, after, 0) - w) + left * (tl.gather(w, before, 0) - w)


@triton.jit
def _forward(
    u_ptr, v_ptr, u0_ptr, r_ptr, link_ptr, rates_ptr, new_u_ptr, new_v_ptr,
    tiles, core, halo, C, L, d, steps,
    WEIGHTED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row, clip, inside, owned = _window(tl.program_id(0), tiles, core, halo, L, BLOCK)
    right, left = _links(link_ptr, row, clip, C, L, d, WEIGHTED, BLOCK)
    i = tl.arange(0, BLOCK)
    after, before = tl.minimum(i + d, BLOCK - 1), tl.maximum(i - d, 0)
    rate = rates_ptr + (row % C) * 5
    a_u, a_v, f = tl.load(rate), tl.load(rate + 1), tl.load(rate + 2)
    kept = 1.0 / (1.0 + tl.load(rate + 3))
    at = row.to(tl.int64) * L + clip
    u = tl.load(u_ptr + at, mask=inside, other=0.0)
    v = tl.load(v_ptr + at, mask=inside, other=0.0)
    feed = f * tl.load(u0_ptr + at, mask=inside, other=0.0)
    rho = tl.load(rate + 4) * tl.load(r_ptr + at, mask=inside, other=0.0)
    for _ in range(steps):
        u += a_u * _laplacian(u, right, left, after, before)
        v += a_v * _laplacian(v, right, left, after, before)
        pull = rho * v * v
        u = (u + feed) / (1.0 + f + pull)
        v = (v + pull * u) * kept
    tl.store(new_u_ptr + at, u, mask=owned)
    tl.store(new_v_ptr + at, v, mask=owned)


@triton.jit
def _backward(
    u_ptr, v_ptr, u0_ptr, r_ptr, link_ptr, rates_ptr, grad_u_ptr, grad_v_ptr,
    out_u_ptr, out_v_ptr, out_u0_ptr, out_r_ptr, out_rates_ptr, scratch_ptr,
    total, tiles, core, halo, C, L, d, steps,
    WEIGHTED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    i = tl.arange(0, BLOCK)
    after, before = tl.minimum(i + d, BLOCK - 1), tl.maximum(i - d, 0)
    own = scratch_ptr + tl.program_id(0).to(tl.int64) * steps * (2 * BLOCK) + i
    for tile in range(tl.program_id(0), total, tl.num_programs(0)):
        row, clip, inside, owned = _window(tile, tiles, core, halo, L, BLOCK)
        right, left = _links(link_ptr, row, clip, C, L, d, WEIGHTED, BLOCK)
        rate = rates_ptr + (row % C) * 5
        a_u, a_v, f = tl.load(rate), tl.load(rate + 1), tl.load(rate + 2)
        kept = 1.0 / (1.0 + tl.load(rate + 3))
        dt = tl.load(rate + 4)
        at = row.to(tl.int64) * L + clip
        u = tl.load(u_ptr + at, mask=inside, other=0.0)
        v = tl.load(v_ptr + at, mask=inside, other=0.0)
        u0 = tl.load(u0_ptr + at, mask=inside, other=0.0)
        r = tl.load(r_ptr + at, mask=inside, other=0.0)
        for n in range(steps):
            tl.store(own + n * (2 * BLOCK), u)
            tl.store(own + n * (2 * BLOCK) + BLOCK, v)
            u += a_u * _laplacian(u, right, left, after, before)
            v += a_v * _laplacian(v, right, left, after, before)
            pull = dt * r * v * v
            u = (u + f * u0) / (1.0 + f + pull)
            v = (v + pull * u) * kept
        tl.debug_barrier()
        g_u = tl.load(grad_u_ptr + at, mask=inside, other=0.0)
        g_v = tl.load(grad_v_ptr + at, mask=inside, other=0.0)
        g_u0, g_r = tl.zeros_like(u), tl.zeros_like(u)
        g_a_u, g_a_v, g_f, g_kappa = g_u0, g_u0, g_u0, g_u0
        for back in range(steps):
            n = steps - 1 - back
            u = tl.load(own + n * (2 * BLOCK))
            v = tl.load(own + n * (2 * BLOCK) + BLOCK)
            # the intermediate results of the step
            bent_u = _laplacian(u, right, left, after, before)
            bent_v = _laplacian(v, right, left, after, before)
            v += a_v * bent_v
            pull = dt * r * v * v
            held = 1.0 + f + pull
            new_u = (u + a_u * bent_u + f * u0) / held
            new_v = (v + pull * new_u) * kept
            # the reaction, backwards
            g_v *= kept
            g_kappa -= g_v * new_v
            g_u = (g_u + pull * g_v) / held
            g_u0 += g_u
            g_f += g_u * (u0 - new_u)
            g_pull = new_u * (g_v - g_u)
            g_r += g_pull * v * v
            g_v += 2.0 * dt * r * v * g_pull
            # diffusion is its own adjoint
            g_a_u += g_u * bent_u
            g_a_v += g_v * bent_v
            g_u += a_u * _laplacian(g_u, right, left, after, before)
            g_v += a_v * _laplacian(g_v, right, left, after, before)
        tl.store(out_u_ptr + at, g_u, mask=owned)
        tl.store(out_v_ptr + at, g_v, mask=owned)
        tl.store(out_u0_ptr + at, f * g_u0, mask=owned)
        tl.store(out_r_ptr + at, dt * g_r, mask=owned)
        share = out_rates_ptr + tile * 5
        tl.store(share, tl.sum(tl.where(owned, g_a_u, 0.0), 0))
        tl.store(share + 1, tl.sum(tl.where(owned, g_a_v, 0.0), 0))
        tl.store(share + 2, tl.sum(tl.where(owned, g_f, 0.0), 0))
        tl.store(share + 3, tl.sum(tl.where(owned, g_kappa, 0.0), 0))
        tl.store(share + 4, tl.sum(tl.where(owned, g_r * r, 0.0), 0))
        tl.debug_barrier()  # the next tile overwrites the scratch


class _Evolve(torch.autograd.Function):
    """(u, v, u0, r (B, C, L), rates (C, 5), link, steps, dilation) -> (u, v)."""

    @staticmethod
    def forward(
        ctx: Any,
        u: Tensor,
        v: Tensor,
        u0: Tensor,
        r: Tensor,
        rates: Tensor,
        link: Tensor | None,
        steps: int,
        dilation: int,
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(u, v, u0, r, rates, link)
        ctx.steps, ctx.dilation = steps, dilation
        new_u, new_v = torch.empty_like(u), torch.empty_like(v)
        plan = _Plan(u.shape, steps * dilation)
        _forward[(plan.total,)](
            u, v, u0, r, u if link is None else link, rates, new_u, new_v,
            plan.tiles, plan.core, plan.halo, *u.shape[1:], dilation, steps,
            WEIGHTED=link is not None, BLOCK=plan.block, num_warps=plan.warps,
        )  # fmt: skip
        return new_u, new_v

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_u: Tensor, grad_v: Tensor) -> tuple[Tensor | None, ...]:
        u, v, u0, r, rates, link = ctx.saved_tensors
        plan = _Plan(u.shape, 2 * ctx.steps * ctx.dilation)
        programs = min(plan.total, PROGRAMS_PER_PROCESSOR * _processors(u))
        fields = [torch.empty_like(x) for x in (u, v, u0, r)]
        shares = u.new_empty((plan.total, 5))
        scratch = u.new_empty((programs, ctx.steps, 2, plan.block))
        _backward[(programs,)](
            u, v, u0, r, u if link is None else link, rates,
            grad_u.contiguous(), grad_v.contiguous(), *fields, shares, scratch,
            plan.total, plan.tiles, plan.core, plan.halo, *u.shape[1:], ctx.dilation, ctx.steps,
            WEIGHTED=link is not None, BLOCK=plan.block, num_warps=plan.warps,
        )  # fmt: skip
        by_channel = shares.view(u.shape[0], u.shape[1], plan.tiles, 5).sum((0, 2))
        return *fields, by_channel, None, None, None


class _Plan:
    """How rows are cut into tiles: a program holds `block` clips and writes `core` of them."""

    def __init__(self, shape: torch.Size, halo: int):
        B, C, L = shape
        # a program writes at least half of the clips that it holds, or it holds the whole row
        block = triton.next_power_of_2(min(max(4 * halo, USUAL), max(L, 1)))
        self.block = max(SMALLEST, min(block, LARGEST))
        self.halo = 0 if self.block >= L else halo
        self.core = self.block - 2 * self.halo
        self.tiles = max(1, triton.cdiv(L, self.core))
        self.total = B * C * self.tiles
        self.warps = max(1, min(8, self.block // 256))


def _processors(u: Tensor) -> int:
    if u.device.type != "cuda":
        return 1
    return int(torch.cuda.get_device_properties(u.device).multi_processor_count)


def evolve(
    u: Tensor,
    v: Tensor,
    u0: Tensor,
    r: Tensor,
    rates: Any,
    link: Tensor | None,
    steps: int,
    dilation: int,
) -> tuple[Tensor, Tensor]:
    """Run all steps on the GPU.

    Args:
        u: (B, C, L).
        v: (B, C, L).
        u0: (B, C, L).
        r: (B, C, L).
        rates: a_u, a_v, f, kappa and dt, (C, 1) each.
        link: (B or 1, 1, L - d) edge weights; None: all weights are 1.
        steps: number of steps.
        dilation: distance d in clips between a clip and the neighbours that it exchanges with.

    Returns:
        u and v after all steps, (B, C, L) each.

    Raises:
        RdmfError: the dilation is too long for a tile.
    """
    u, v, u0, r = (x.contiguous() for x in (u, v, u0, r))
    table = torch.cat(list(rates), 1).contiguous()
    link = None if link is None else link.expand(u.shape[0], -1, -1).contiguous()
    while steps > 0:
        now = min(steps, _steps_per_launch(u.shape[-1], dilation))
        u, v = _Evolve.apply(u, v, u0, r, table, link, now, dilation)
        steps -= now
    return u, v


def _steps_per_launch(L: int, dilation: int) -> int:
    """Return the largest number of steps whose two halos of 2 H fit in half a backward tile."""
    if L <= LARGEST:
        return 1_000_000
    most = LARGEST // (8 * dilation)
    if not most:
        raise RdmfError(
            f"dilation {dilation} is too long for the triton backend",
            todo=f"give at most {LARGEST // 8}, or choose the reference backend",
        )
    return most

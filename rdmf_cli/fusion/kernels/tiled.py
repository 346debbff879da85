"""All steps of a tile while it sits in the processor's cache: the CPU's fast path.

The plain path writes every intermediate of every step to memory. Here a tile of some channels and
clips (with the halo H that N steps can see) goes through all N steps before the next one starts,
in place, with u and v stacked. The backward pass is written by hand: it stores the inputs only,
recomputes a tile's states, and adds up the tile's share of the gradients, so that training needs
memory O(L C) however many steps there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

CELLS = 32_768  # clips x channels in a tile: some ten arrays of it fit a 2 MB cache, and torch
#                 leaves operations of this size to the calling thread
CELLS_BACK = 16_384  # the same for the backward pass, which works on twice as many
CLIPS = 4_096  # longest tile; above it come its two halos


class Problem(NamedTuple):
    """What one launch needs; per-channel numbers are (C, 1)."""

    f_u0: Tensor  # (B, C, L) f times u0: what the feed adds
    rho: Tensor  # (B, C, L) r dt
    link: Tensor | None  # (B or 1, C or 1, L - d) edge weights
    a: Tensor  # (2, 1, C, 1) diffusion of u and of v
    held: Tensor  # (C, 1) 1 + f
    kept: Tensor  # (C, 1) 1 / (1 + kappa)
    steps: int
    dilation: int

    @property
    def halo(self) -> int:
        return self.steps * self.dilation

    def part(self, window: Window) -> Problem:
        c = window.channels
        return self._replace(
            f_u0=self.f_u0[window.outer()].contiguous(),  # used in every step
            rho=self.rho[window.outer()].contiguous(),
            link=None if self.link is None else window.edges(self.link, self.dilation),
            a=self.a[:, :, c],
            held=self.held[c],
            kept=self.kept[c],
        )

    @property
    def conductance(self) -> Tensor:
        """How much of a difference flows over an edge in a step, for u and for v."""
        return self.a if self.link is None else self.a * self.link


class Window(NamedTuple):
    """A tile with its halo, and where in it the tile lies."""

    batch: slice
    channels: slice
    clips: slice
    core: slice  # within the window

    def outer(self) -> tuple[Any, ...]:
        return ..., self.batch, self.channels, self.clips

    def inner(self) -> tuple[Any, ...]:
        start = self.clips.start
        core = slice(start + self.core.start, start + self.core.stop)
        return ..., self.batch, self.channels, core

    def edges(self, link: Tensor, dilation: int) -> Tensor:
        batch = self.batch if link.shape[0] > 1 else slice(None)
        channels = self.channels if link.shape[1] > 1 else slice(None)
        stop = max(self.clips.stop - dilation, self.clips.start)
        return link[batch, channels, self.clips.start : stop]


class _Evolve(torch.autograd.Function):
    """(u and v stacked, f u0, rho, a, held, kept) -> u and v after all steps."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        w: Tensor,
        f_u0: Tensor,
        rho: Tensor,
        a: Tensor,
        held: Tensor,
        kept: Tensor,
        link: Tensor | None,
        steps: int,
        dilation: int,
    ) -> Tensor:
        ctx.save_for_backward(w, f_u0, rho, a, held, kept, link)
        ctx.steps, ctx.dilation = steps, dilation
        problem = Problem(f_u0, rho, link, a, held, kept, steps, dilation)
        out = torch.empty_like(w)

        def run(window: Window) -> None:
            tile = w[window.outer()].clone(memory_format=torch.contiguous_format)
            stepper = _Stepper(tile, problem.part(window))
            for _ in range(steps):
                stepper.step()
            out[window.inner()] = tile[..., window.core]

        _for_each(run, w.shape[1:], problem.halo, CELLS)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        w, f_u0, rho, a, held, kept, link = ctx.saved_tensors
        problem = Problem(f_u0, rho, link, a, held, kept, ctx.steps, ctx.dilation)
        into = [torch.zeros_like(x) for x in (w, f_u0, rho)]

        def run(window: Window) -> list[Tensor]:
            part = problem.part(window)
            g = torch.zeros(w[window.outer()].shape, dtype=w.dtype)
            g[..., window.core] = grad[window.inner()]
            fields, rates = _retreat(_history(w[window.outer()], part), g, part)
            for whole, share in zip(into, fields, strict=True):
                whole[window.outer()] += share
            return rates

        rates = [torch.zeros_like(x) for x in (a, held, kept)]
        for window, shares in _for_each(run, w.shape[1:], problem.halo, CELLS_BACK):
            for whole, share in zip(rates, shares, strict=True):
                whole[..., window.channels, :] += share
        return *into, *rates, None, None, None


class _Edges:
    """All edges of a field w (..., l), with working memory (..., l - d) for what flows there."""

    def __init__(self, w: Tensor, dilation: int):
        self.left = w[..., : max(w.shape[-1] - dilation, 0)]
        self.right = w[..., dilation:]
        self.difference = torch.empty_like(self.right, memory_format=torch.contiguous_format)
        self.flux = torch.empty_like(self.difference)

    def diffuse(self, conductance: Tensor) -> Tensor:
        """Moves over every edge its flux, in place; returns the differences that drove it."""
        difference = torch.sub(self.right, self.left, out=self.difference)
        flux = torch.mul(difference, conductance, out=self.flux)
        self.left.add_(flux)
        self.right.sub_(flux)
        return difference


class _Stepper:
    """Steps a tile w (2, b, c, l) in place; its working memory and views are made once."""

    def __init__(self, w: Tensor, p: Problem):
        self.p, self.w, self.conductance = p, w, p.conductance
        self.u, self.v = w
        self.edges = _Edges(w, p.dilation)
        self.pull, self.room = torch.empty_like(w)  # rho v²; anything

    def diffuse(self) -> Tensor:
        return self.edges.diffuse(self.conductance)

    def step(self) -> None:
        u, v, p = self.u, self.v, self.p
        self.diffuse()
        pull = torch.mul(v, v, out=self.pull).mul_(p.rho)
        u.add_(p.f_u0).div_(torch.add(pull, p.held, out=self.room))
        v.addcmul_(pull, u).mul_(p.kept)


def _history(w: Tensor, p: Problem) -> Tensor:
    """All states, (steps + 1, 2, b, c, l)."""
    states = w.new_empty((p.steps + 1, *w.shape))
    states[0] = w
    stepper = _Stepper(states[0].clone(), p)
    for after in states[1:]:
        stepper.step()
        after.copy_(stepper.w)
    return states


def _retreat(states: Tensor, g: Tensor, p: Problem) -> tuple[list[Tensor], list[Tensor]]:
    """The adjoint of all steps over one window, for the gradient g that enters at its tile.

    Steps are linear in that gradient, so the shares of all tiles add up to the whole. Away from
    the tile it is zero, and reaches no further per step than the states are right.
    Returns the gradients of w, f u0, rho, and of a, held, kept.
    """
    stepper, edges, (g_u, g_v) = _Stepper(torch.empty_like(g), p), _Edges(g, p.dilation), g
    diffused, v = stepper.w, stepper.v
    square, g_kept, feed, held, kept, rho = torch.zeros((6, *g_u.shape), dtype=g.dtype)
    bend = torch.zeros_like(edges.flux)
    for before, (new_u, new_v) in reversed(list(pairwise(states))):
        # what the step computed on its way
        diffused.copy_(before)
        difference = stepper.diffuse()
        pull = torch.mul(torch.mul(v, v, out=square), p.rho, out=stepper.pull)
        # the reaction, backwards
        torch.mul(g_v, p.kept, out=g_kept)
        kept.addcmul_(g_kept, new_v)
        g_u.addcmul_(pull, g_kept).div_(torch.add(pull, p.held, out=stepper.room))
        feed.add_(g_u)
        held.addcmul_(g_u, new_u)
        g_pull = torch.sub(g_kept, g_u, out=stepper.room).mul_(new_u)
        rho.addcmul_(g_pull, square)
        torch.addcmul(g_kept, g_pull.mul_(p.rho), v, value=2.0, out=g_v)
        # diffusion is its own adjoint
        bend.addcmul_(difference, edges.diffuse(stepper.conductance))
    bend = bend if p.link is None else bend.mul_(p.link)
    rates = [-_per_channel(bend)[:, None], -_per_channel(held), _per_channel(kept) / p.kept**2]
    return [g, feed, rho], rates


def _per_channel(x: Tensor) -> Tensor:
    """Sums over batch and clips: (..., b, c, l) -> (..., c, 1)."""
    return x.sum(-1, keepdim=True).sum(-3)


def _for_each(
    run: Callable[[Window], Any], shape: torch.Size, halo: int, cells: int
) -> list[tuple[Window, Any]]:
    """Runs every tile. Lanes (the tiles of some channels) run side by side, a lane in order."""
    lanes = list(_lanes(shape, halo, cells))
    quiet = torch.inference_mode if torch.is_inference_mode_enabled() else torch.no_grad

    def lane(windows: list[Window]) -> list[tuple[Window, Any]]:
        with quiet():  # of the calling thread's modes a worker knows nothing
            return [(window, run(window)) for window in windows]

    workers = min(torch.get_num_threads(), len(lanes))
    if workers <= 1:
        return [share for windows in lanes for share in lane(windows)]
    with ThreadPoolExecutor(workers) as pool:
        return [share for shares in pool.map(lane, lanes) for share in shares]


def _lanes(shape: torch.Size, halo: int, cells: int) -> Iterator[list[Window]]:
    B, C, L = shape
    length = min(L, max(CLIPS, 4 * halo)) or 1
    width = min(L, length + 2 * halo) or 1
    channels = max(1, min(C, cells // width))
    batch = max(1, min(B, cells // (width * C))) if channels == C else 1
    for b in range(0, B, batch):
        for c in range(0, C, channels):
            rows = slice(b, min(b + batch, B)), slice(c, min(c + channels, C))
            yield [Window(*rows, *_span(i, length, halo, L)) for i in range(0, L, length)]


def _span(start: int, length: int, halo: int, L: int) -> tuple[slice, slice]:
    """A tile's clips with halo, and the tile within them."""
    stop = min(start + length, L)
    first, last = max(start - halo, 0), min(stop + halo, L)
    return slice(first, last), slice(start - first, stop - first)


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
    """Fields (B, C, L) after all steps; rates (C, 1), link (B or 1, C or 1, L - d) or None."""
    out = _Evolve.apply(
        torch.stack([u, v]),
        rates.f * u0,
        rates.dt * r,
        torch.stack([rates.a_u, rates.a_v])[:, None],
        1.0 + rates.f,
        1.0 / (1.0 + rates.kappa),
        link,
        steps,
        dilation,
    )
    return out[0], out[1]

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
CLIPS = 4_096  # longest tile; above it come its two halos


class Problem(NamedTuple):
    """What one launch needs; per-channel numbers are (C, 1)."""

    f_u0: Tensor  # (B, C, L) f times u0: what the feed adds
    rho: Tensor  # (B, C, L) r dt
    link: Tensor | None  # (B, 1, L - d) edge weights
    a: Tensor  # (2, C, 1) diffusion of u and of v
    held: Tensor  # (C, 1) 1 + f
    kept: Tensor  # (C, 1) 1 / (1 + kappa)
    steps: int
    dilation: int

    @property
    def halo(self) -> int:
        return self.steps * self.dilation

    def part(self, window: Window) -> Problem:
        c, clips = window.channels, window.clips
        link = self.link
        if link is not None:
            stop = max(clips.stop - self.dilation, clips.start)
            link = link[window.batch, :, clips.start : stop]
        return self._replace(
            f_u0=self.f_u0[window.outer()],
            rho=self.rho[window.outer()],
            link=link,
            a=self.a[:, None, c],
            held=self.held[c],
            kept=self.kept[c],
        )


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


class _Evolve(torch.autograd.Function):
    """(u, v, f u0, rho, a, held, kept) -> (u, v) after all steps."""

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
            _advance(tile, problem.part(window))
            out[window.inner()] = tile[..., window.core]

        _for_each(run, w.shape[1:], problem.halo)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        w, f_u0, rho, a, held, kept, link = ctx.saved_tensors
        problem = Problem(f_u0, rho, link, a, held, kept, ctx.steps, ctx.dilation)
        into = Gradients(*(torch.zeros_like(x) for x in (w, f_u0, rho)))

        def run(window: Window) -> Rates:
            states = _history(w[window.outer()], problem.part(window))
            return _retreat(states, grad, into, problem.part(window), window)

        shares = _for_each(run, w.shape[1:], problem.halo)
        rates = Rates(*(torch.zeros_like(x) for x in (a, held, kept)))
        for window, share in shares:
            rates.add(share, window.channels)
        return *into, *rates, None, None, None


class Gradients(NamedTuple):
    """Where the tiles add their shares."""

    w: Tensor
    f_u0: Tensor
    rho: Tensor


class Rates(NamedTuple):
    """Gradients of the per-channel numbers."""

    a: Tensor
    held: Tensor
    kept: Tensor

    def add(self, share: Rates, channels: slice) -> None:
        self.a[:, channels] += share.a
        self.held[channels] += share.held
        self.kept[channels] += share.kept


def _advance(w: Tensor, p: Problem) -> None:
    """All steps of w (2, b, c, l), in place."""
    room = _Room.beside(w, p.dilation)
    for _ in range(p.steps):
        _step(w, p, room)


class _Room(NamedTuple):
    """Working memory of a step."""

    flux: Tensor  # (2, b, c, l - d)
    pull: Tensor  # (b, c, l), rho v²
    other: Tensor  # (b, c, l)

    @classmethod
    def beside(cls, w: Tensor, dilation: int) -> _Room:
        return cls(torch.empty_like(w[..., dilation:]), *torch.empty_like(w))


def _step(w: Tensor, p: Problem, room: _Room) -> None:
    _difference(w, p, room.flux)
    _diffuse(w, room.flux.mul_(p.a), p.dilation)
    u, v = w
    torch.mul(v, v, out=room.pull).mul_(p.rho)
    u.add_(p.f_u0).div_(torch.add(room.pull, p.held, out=room.other))
    v.addcmul_(room.pull, u).mul_(p.kept)


def _difference(w: Tensor, p: Problem, out: Tensor) -> None:
    """What would flow over every edge: g (w_j - w_i)."""
    d = p.dilation
    torch.sub(w[..., d:], _left_ends(w, d), out=out)
    if p.link is not None:
        out.mul_(p.link)


def _diffuse(w: Tensor, flux: Tensor, d: int) -> None:
    """Moves the flux (..., l - d) into the left end of every edge and out of the right one."""
    _left_ends(w, d).add_(flux)
    w[..., d:].sub_(flux)


def _left_ends(w: Tensor, d: int) -> Tensor:
    return w[..., : max(w.shape[-1] - d, 0)]


def _history(w: Tensor, p: Problem) -> Tensor:
    """All states, (steps + 1, 2, b, c, l)."""
    states = w.new_empty((p.steps + 1, *w.shape))
    states[0] = w
    room = _Room.beside(states[0], p.dilation)
    for before, after in pairwise(states):
        _step(after.copy_(before), p, room)
    return states


def _retreat(states: Tensor, grad: Tensor, into: Gradients, p: Problem, window: Window) -> Rates:
    """The adjoint of all steps over one window, for the gradient that enters at its tile.

    Steps are linear in that gradient, so the shares of all tiles add up to the whole. Away from
    the tile it is zero, and reaches no further per step than the states are right.
    """
    g = torch.zeros_like(states[0])
    g[..., window.core] = grad[window.inner()]
    room, back = _Room.beside(g, p.dilation), torch.empty_like(g[..., p.dilation :])
    diffused, square = torch.empty_like(g), torch.empty_like(g[0])
    feed, rho = torch.zeros_like(g[0]), torch.zeros_like(g[0])
    rates = Rates(torch.zeros_like(p.a[:, 0]), torch.zeros_like(p.held), torch.zeros_like(p.kept))
    for n in reversed(range(p.steps)):
        # what the step computed on its way
        diffused.copy_(states[n])
        _difference(diffused, p, room.flux)
        _diffuse(diffused, torch.mul(room.flux, p.a, out=back), p.dilation)
        new_u, new_v = states[n + 1]
        v = diffused[1]
        torch.mul(v, v, out=square)
        torch.mul(square, p.rho, out=room.pull)
        # the reaction, backwards
        g_u, g_v = g
        rates.kept.add_(_over_clips(g_v, new_v).div_(p.kept))
        g_v.mul_(p.kept)
        g_u.addcmul_(room.pull, g_v).div_(torch.add(room.pull, p.held, out=room.other))
        feed.add_(g_u)
        rates.held.sub_(_over_clips(g_u, new_u))
        g_pull = torch.sub(g_v, g_u, out=room.other).mul_(new_u)
        rho.addcmul_(g_pull, square)
        g_v.addcmul_(g_pull.mul_(p.rho), v, value=2.0)
        # diffusion is its own adjoint
        torch.sub(g[..., p.dilation :], _left_ends(g, p.dilation), out=back)
        rates.a.sub_(_over_clips(room.flux, back))
        _diffuse(g, (back if p.link is None else back.mul_(p.link)).mul_(p.a), p.dilation)
    into.w[window.outer()] += g
    into.f_u0[window.outer()] += feed
    into.rho[window.outer()] += rho
    return rates


def _over_clips(x: Tensor, y: Tensor) -> Tensor:
    """Σ x y over batch and clips: (..., b, c, l) -> (..., c, 1)."""
    return torch.einsum("...bcl,...bcl->...c", x, y)[..., None]


def _for_each(
    run: Callable[[Window], Any], shape: torch.Size, halo: int
) -> list[tuple[Window, Any]]:
    """Runs every tile. Lanes (the tiles of some channels) run side by side, a lane in order."""
    lanes = list(_lanes(shape, halo))

    quiet = torch.inference_mode if torch.is_inference_mode_enabled() else torch.no_grad

    def lane(windows: list[Window]) -> list[tuple[Window, Any]]:
        with quiet():  # of the calling thread's modes a worker knows nothing
            return [(window, run(window)) for window in windows]

    workers = min(torch.get_num_threads(), len(lanes))
    if workers <= 1:
        done = map(lane, lanes)
        return [share for shares in done for share in shares]
    with ThreadPoolExecutor(workers) as pool:
        return [share for shares in pool.map(lane, lanes) for share in shares]


def _lanes(shape: torch.Size, halo: int) -> Iterator[list[Window]]:
    B, C, L = shape
    length = min(L, max(CLIPS, 4 * halo)) or 1
    width = min(L, length + 2 * halo) or 1
    channels = max(1, min(C, CELLS // width))
    batch = max(1, min(B, CELLS // (width * C))) if channels == C else 1
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
    """Fields (B, C, L) after all steps; rates (C, 1), link (B, 1, L - d) or None."""
    w = torch.stack([u, v])
    out = _Evolve.apply(
        w,
        rates.f * u0,
        rates.dt * r,
        torch.stack([rates.a_u, rates.a_v]),
        1.0 + rates.f,
        1.0 / (1.0 + rates.kappa),
        link,
        steps,
        dilation,
    )
    return out[0], out[1]

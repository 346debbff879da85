"""The fast CPU backend: it computes all steps of a tile while the tile is in the processor's cache.

The reference writes every intermediate result of every step to memory. This backend takes one tile
of the strip (see `interleaved`) after another, together with the rows around the tile on which N
steps depend. Each tile goes through all N steps before the next tile starts, with u and v as one
array. The backward pass is written by hand: it stores only the inputs, recomputes a tile's steps
and adds the tile's share of the gradients. So training needs memory O(L C) for any number of steps.

The working memory of a tile is allocated once. The next tile and the next call reuse it: a new
allocation each time would take longer than all steps of 75 clips.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rdmf_cli.fusion.kernels.interleaved import Strip, Window, strip

GRAIN = 32_768  # numbers of one operation that torch gives to each thread
THREADS = 4  # a tile is made for at most this number of threads: more need larger tiles
SMALL = GRAIN  # number of cells (B C L) below which several threads are slower than one
KEPT_BYTES = 2**26  # working memory above this is not kept for the next call
ALIGNED = 16  # every array in the working memory starts at a multiple of this many numbers
TILES_KEPT = 16  # number of tile shapes that stay allocated

Links = Sequence[tuple[int, int, Tensor | None]]
"""Channels, dilation and edge weights (B or 1, 1, L - d) of every group, in order."""


def evolve(
    u: Tensor, v: Tensor, u0: Tensor, r: Tensor, rates: Any, groups: Links, steps: int
) -> tuple[Tensor, Tensor]:
    """Run all steps on fields without NaN.

    Args:
        u: (B, C, L).
        v: (B, C, L).
        u0: (B, C, L).
        r: (B, C, L).
        rates: a_u, a_v, f, kappa and dt, (C, 1) each.
        groups: channels, dilation and edge weights of every group.
        steps: number of steps.

    Returns:
        u and v after all steps, (B, C, L) each.
    """
    if not steps or not v.numel():
        return u, v
    layout = tuple((channels, dilation) for channels, dilation, _ in groups)
    plan = strip(v.shape, layout, widest=GRAIN // (8 * steps))  # so a small tile is four halos long
    with torch.no_grad():
        link = plan.links([weights for _, _, weights in groups], v)
    fields: tuple[Tensor, Tensor] = _Evolve.apply(u, v, u0, r, *rates, link, plan, steps)
    return fields


def tile_cells(fields: int, bytes_each: int) -> int:
    """Choose the number of cells (rows x columns) of a tile.

    In large fields, a tile has enough cells to keep torch's threads busy, within the memory that is
    kept. In small fields, a tile has so few cells that an operation on u and v together (twice as
    many numbers) stays in the calling thread.

    Args:
        fields: number of cells of all fields.
        bytes_each: working memory per cell.
    """
    small, large = GRAIN // 2, GRAIN * min(torch.get_num_threads(), THREADS)
    return small if fields < SMALL else max(small, min(large, KEPT_BYTES // bytes_each))


class Problem(NamedTuple):
    """The inputs of one launch.

    Attributes:
        fields: u, v, u0, r as rows (B L C/c, c) in the videos' order.
        rates: (6, C/c, c) a_u, a_v, f, dt, 1 + f, 1 / (1 + kappa).
        link: (R,) weight of every row's edge to the next.
        strip: the order of the rows.
        steps: number of steps.
    """

    fields: list[Tensor]
    rates: Tensor
    link: Tensor
    strip: Strip
    steps: int

    @classmethod
    def of(cls, tensors: Sequence[Tensor], plan: Strip, steps: int) -> Problem:
        """Make the problem of u, v, u0, r (B, C, L), a_u, a_v, f, kappa, dt (C, 1), link (R,)."""
        *fields, a_u, a_v, f, kappa, dt, link = tensors
        table = torch.stack([a_u, a_v, f, dt, 1.0 + f, 1.0 / (1.0 + kappa)])
        rows = [plan.flat(x) for x in fields]
        return cls(rows, table.view(6, plan.blocks, plan.columns), link, plan, steps)

    def windows(self, slots: int) -> Iterator[Window]:
        """Cut the strip into tiles whose `slots` states fit into the working memory."""
        cells, bytes_each = self.fields[0].numel(), _Tile.numbers(slots) * self.link.itemsize
        return self.strip.windows(tile_cells(cells, bytes_each), self.steps)

    def tile(self, window: Window, slots: int) -> _Tile:
        """Load a window's fields into the calling thread's memory, until the next call."""
        rows = window.rows.stop - window.rows.start
        tile = _memory.tile(self.link.dtype, rows, self.strip.columns, slots)
        tile.load(self, window)
        return tile


class _Evolve(torch.autograd.Function):
    """(u, v, u0, r, a_u, a_v, f, kappa, dt, link, strip, steps) -> u and v after all steps."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> tuple[Tensor, Tensor]:
        tensors, (plan, steps) = given[:10], given[10:]
        ctx.save_for_backward(*tensors)
        ctx.plan, ctx.steps = plan, steps
        ctx.set_materialize_grads(False)
        p = Problem.of(tensors, plan, steps)
        after = [p.link.new_empty(plan.rows, plan.columns) for _ in range(2)]
        for window in p.windows(slots=1):
            tile = p.tile(window, slots=1)
            tile.advance(steps)
            for whole, own in zip(after, tile.slots[0].after.rows, strict=True):
                whole[window.own] = own[window.core]
        _memory.tidy()
        u, v = plan.fields(after)
        return u, v

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        p = Problem.of(ctx.saved_tensors, ctx.plan, ctx.steps)
        entering = [None if g is None else p.strip.flat(g) for g in grads]
        into = [p.link.new_zeros(p.strip.rows, p.strip.columns) for _ in range(4)]
        rates = p.rates.new_zeros(5, *p.rates.shape[1:])
        for window in p.windows(slots=p.steps):
            tile = p.tile(window, slots=p.steps)
            tile.advance(p.steps)
            tile.enter(entering, p.strip.there, window)
            tile.retreat()
            for whole, share in zip(into, tile.gradients(), strict=True):
                whole[window.rows] += share
            rates[:, window.blocks] += tile.rate_gradients(window)
        _memory.tidy()
        return *p.strip.fields(into), *rates.view(5, -1, 1), None, None, None


class _State:
    """Views of u and v, (2, (n + 1) c): n rows and one extra row, so that every row has an edge."""

    def __init__(self, w: Tensor, rows: int, columns: int):
        self.both = self.upper = w[:, : rows * columns]
        self.lower = w[:, columns:]
        self.u, self.v = self.both
        self.rows = self.both.view(2, rows, columns)


class _Slot(NamedTuple):
    """The results of a step that its adjoint needs."""

    difference: Tensor  # (2, n c) over every edge
    diffused: _State
    pull: Tensor  # (n c,) rho v²
    held: Tensor  # (n c,) 1 + f + rho v²
    after: _State


class _Tile:
    """Working memory for windows of n rows, and the steps forward and backward. Arrays are flat."""

    def __init__(self, take: Callable[..., Tensor], rows: int, columns: int, slots: int):
        n = rows * columns
        self.shape = rows, columns
        states = take(2 * slots + 2, 2, n + columns)
        self.spare = states[..., n:]
        self.start, self.g, *of_slots = (_State(w, rows, columns) for w in states)
        scratch = zip(take(slots, 2, n), take(slots, 2, n), strict=True)
        self.slots = [
            _Slot(difference, diffused, pull, held, after)
            for (difference, (pull, held)), diffused, after in zip(
                scratch, of_slots[::2], of_slots[1::2], strict=True
            )
        ]
        self.drive, self.rates, self.conductance = take(2, n), take(6, n), take(2, n)
        self.f_u0_and_rho, self.flux, self.room = take(2, n), take(2, n), take(n)
        self.link, self.sums = take(rows, 1), take(6, n)
        self.drive_rows, self.rate_rows, self.sum_rows, self.conductance_rows = (
            x.view(-1, rows, columns) for x in (self.drive, self.rates, self.sums, self.conductance)
        )

    @staticmethod
    def numbers(slots: int) -> int:
        """Return how many numbers the working memory takes per cell."""
        return 8 * slots + 26

    def load(self, p: Problem, window: Window) -> None:
        """Load the fields and rates of a window."""
        there = p.strip.there[window.rows]
        into = (*self.start.rows, *self.drive_rows)
        for field, own in zip(p.fields, into, strict=True):
            torch.index_select(field, 0, there, out=own)
        rates = p.rates[:, window.blocks, None]
        self.rates.view(6, rates.shape[1], -1, rates.shape[3]).copy_(rates)
        self.link[:, 0] = p.link[window.rows]
        self.link[-1] = 0.0  # rows beyond the window do not reach the tile
        torch.mul(self.rate_rows[:2], self.link, out=self.conductance_rows)
        torch.mul(self.drive, self.rates[2:4], out=self.f_u0_and_rho)
        self.spare.zero_()

    def advance(self, steps: int) -> None:
        """Run all steps, each into the next slot.

        The slots are used in a circle: after the last slot comes the first slot.
        """
        before, room = self.start, self.room
        (f_u0, rho), (one_f, kept) = self.f_u0_and_rho, self.rates[4:]
        for n in range(steps):
            difference, diffused, pull, held, after = self.slots[n % len(self.slots)]
            torch.sub(before.lower, before.upper, out=difference)
            flux = torch.mul(difference, self.conductance, out=self.flux)
            torch.add(before.upper, flux, out=diffused.upper)
            diffused.lower.sub_(flux)
            u, v = diffused.u, diffused.v
            torch.mul(v, v, out=pull).mul_(rho)
            torch.add(pull, one_f, out=held)
            torch.div(u.add_(f_u0), held, out=after.u)
            torch.mul(torch.addcmul(v, pull, after.u, out=room), kept, out=after.v)
            before = after

    def enter(self, grads: list[Tensor | None], there: Tensor, window: Window) -> None:
        """Load the gradient that arrives at the tile; the gradient of its halo is 0."""
        whole = window.core == slice(0, self.shape[0])
        own = there[window.own]
        for grad, into in zip(grads, self.g.rows, strict=True):
            if grad is None or not whole:
                into.zero_()
            if grad is not None:
                torch.index_select(grad, 0, own, out=into[window.core])

    def retreat(self) -> None:
        """Run the adjoint of all steps, from the last step to the first.

        The adjoint is linear in the gradient, so the shares of all tiles add up to the whole
        gradient. The gradient starts at zero outside the tile. In each step it spreads only to rows
        whose states are valid.
        """
        g, flux, room, rho, kept = self.g, self.flux, self.room, self.f_u0_and_rho[1], self.rates[5]
        (g_feed, g_rho), products, bends = self.sums[:2], self.sums[2:4], self.sums[4:]
        self.sums.zero_()
        for difference, diffused, pull, held, after in reversed(self.slots):
            # the reaction, backwards
            g.u.addcmul_(pull, g.v.mul_(kept)).div_(held)
            g_feed.add_(g.u)
            products.addcmul_(g.both, after.both)
            g_pull_v = torch.sub(g.v, g.u, out=room).mul_(after.u).mul_(diffused.v)
            g_rho.addcmul_(g_pull_v, diffused.v)
            g.v.addcmul_(g_pull_v, rho, value=2.0)
            # diffusion is its own adjoint
            bend = torch.sub(g.lower, g.upper, out=flux)
            bends.addcmul_(bend, difference)
            bend.mul_(self.conductance)
            g.upper.add_(bend)
            g.lower.sub_(bend)

    def gradients(self) -> tuple[Tensor, ...]:
        """Return the gradients of u, v, u0, r: (n, c) each."""
        return *self.g.rows, *(self.sum_rows[:2] * self.rate_rows[2:4])

    def rate_gradients(self, window: Window) -> Tensor:
        """Return the gradients of a_u, a_v, f, kappa, dt, (5, blocks, c).

        Call `gradients` first.
        """
        of_drive, held = self.sums[:2].mul_(self.drive), self.sums[2]
        held.sub_(of_drive[0])
        self.sum_rows[4:] *= self.link
        blocks = window.blocks.stop - window.blocks.start
        _, dt, f, kappa, a_u, a_v = self.sums.view(6, blocks, -1, self.shape[1]).sum(2)
        return torch.stack([-a_u, -a_v, -f, -kappa, dt])


class _Memory(threading.local):
    """A thread's working memory: one array that holds tiles of any shape."""

    def __init__(self) -> None:
        self.room: dict[torch.dtype, Tensor] = {}
        self.tiles: dict[tuple[Any, ...], _Tile] = {}

    def tile(self, dtype: torch.dtype, rows: int, columns: int, slots: int) -> _Tile:
        key = dtype, rows, columns, slots
        if key not in self.tiles:
            if len(self.tiles) >= TILES_KEPT:
                self.tiles.clear()
            with torch.inference_mode(False):  # else training could not use this memory again
                self.tiles[key] = self._lay_out(*key)
        return self.tiles[key]

    def _lay_out(self, dtype: torch.dtype, rows: int, columns: int, slots: int) -> _Tile:
        aligning = 16 * ALIGNED  # more than there are arrays
        free = self._room(dtype, _Tile.numbers(slots) * (rows + 1) * columns + aligning)

        def take(*shape: int) -> Tensor:
            nonlocal free
            count = math.prod(shape)
            own, free = free[:count].view(shape), free[-(-count // ALIGNED) * ALIGNED :]
            return own

        return _Tile(take, rows, columns, slots)

    def _room(self, dtype: torch.dtype, numbers: int) -> Tensor:
        if dtype not in self.room or len(self.room[dtype]) < numbers:
            self.tiles.clear()  # the tiles are views of the old memory
            self.room[dtype] = torch.empty(numbers, dtype=dtype)
        return self.room[dtype]

    def tidy(self) -> None:
        """Release the memory if it is too large to keep."""
        if sum(room.nbytes for room in self.room.values()) > KEPT_BYTES:
            self.tiles.clear()
            self.room.clear()


_memory = _Memory()

"""The strip: all clips of all channels as one long chain, which the CPU backend cuts into tiles.

A chain of dilation d consists of d interleaved chains that never meet. If these chains are written
one after another (clips 0, d, 2 d, …, then 1, 1 + d, …), they form ONE chain of dilation 1, in
which the edges between two of the chains have weight 0. The videos of a batch are joined in the
same way, and so are blocks of c channels. So fields (B, C, L) become the rows of a strip (R, c),
whatever the dilations of their channels. The strip has one block of rows for every c channels; a
block holds the videos one after another, and a video holds its interleaved chains one after
another. A row's neighbour is the next row, N steps see N rows to each side, and the flux over all
edges is one operation on adjacent memory.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import NamedTuple

import torch
from torch import Tensor

COLUMNS = 64  # channels per row at most: wide rows are copied faster, narrow rows make longer tiles
KEPT = 2**18  # rows of the longest strip whose order is cached for the next call

Layout = tuple[tuple[int, int], ...]
"""(channels, dilation) of every group, in order."""


class Window(NamedTuple):
    """A tile of the strip with its halo; `core` is the tile within the window's rows."""

    rows: slice
    core: slice
    blocks: slice

    @property
    def own(self) -> slice:
        """The tile's rows in the strip."""
        return slice(self.rows.start + self.core.start, self.rows.start + self.core.stop)


@dataclass(frozen=True)
class Strip:
    """The order of the rows: which clip and channels every row of the strip holds.

    Attributes:
        shape: B, C, L of the fields.
        layout: channels and dilation of every group.
        columns: c, channels per row.
        there: (R,) for each row of the strip, the number of the row that it takes from the fields,
            which are seen as (B L C/c, c).
        back: (R,) the inverse permutation of `there`.
        joined: (R,) 1 if a row's chain continues in the next row, 0 if the chain ends.
    """

    shape: tuple[int, int, int]
    layout: Layout
    columns: int
    there: Tensor
    back: Tensor
    joined: Tensor

    @property
    def rows(self) -> int:
        """Number of rows R."""
        return len(self.there)

    @property
    def blocks(self) -> int:
        """Number of blocks C / c."""
        return self.shape[1] // self.columns

    def flat(self, x: Tensor) -> Tensor:
        """View fields (B, C, L) as rows (B L C/c, c), or copy the fields if no view is possible."""
        return x.transpose(1, 2).reshape(-1, self.columns)

    def fields(self, strips: Sequence[Tensor]) -> list[Tensor]:
        """Convert strips, (R, c) each, back to fields (B, C, L).

        The fields overwrite the memory of `strips`, so the content of `strips` is lost. This takes
        less time than allocating new memory.
        """
        B, C, L = self.shape
        found, free = [], torch.empty_like(strips[0])
        for rows in strips:
            torch.index_select(rows, 0, self.back, out=free)
            found.append(free.view(B, L, C).transpose(1, 2))
            free = rows
        return found

    def links(self, weights: Sequence[Tensor | None], like: Tensor) -> Tensor:
        """Compute the weight of the edge from every row to the next row.

        Args:
            weights: for every group its weights (B or 1, 1, L - d), or None: all weights are 1.
            like: a tensor of the dtype and device wanted.

        Returns:
            (R,) weights, 0 at the end of a chain.
        """
        joined = self.joined.to(like.dtype)
        if all(own is None for own in weights):
            return joined
        B, _, L = self.shape
        parts = []
        for (channels, dilation), own in zip(self.layout, weights, strict=True):
            once = _edges(own, L, dilation, like).expand(B, L).reshape(-1)
            parts.append(once.repeat(channels // self.columns))
        return torch.cat(parts) * joined

    def windows(self, cells: int, halo: int) -> Iterator[Window]:
        """Cut the strip into tiles of about `cells` cells (rows x columns), in order.

        Args:
            cells: size of a tile.
            halo: number of rows to each side of a tile on which its result depends.
        """
        per_block = self.shape[0] * self.shape[2]
        together = cells // (per_block * self.columns)
        if not together:
            for block in range(self.blocks):
                yield from self._cut(block, cells, halo)
            return
        for a, b in _spans(self.blocks, together):
            rows = slice(a * per_block, b * per_block)
            yield Window(rows, slice(0, rows.stop - rows.start), slice(a, b))

    def _cut(self, block: int, cells: int, halo: int) -> Iterator[Window]:
        """Cut a block into tiles: whole videos if they fit into a tile, else rows with a halo."""
        B, _, L = self.shape
        first = block * B * L
        bounds = _bounds(L, self._dilation(block))
        rows = max(cells // self.columns, 1)
        most, unit = (rows // L, L) if rows >= L else (max(rows - 2 * halo, 2 * halo, 1), 1)
        for a, b in _spans(B * L // unit, most):
            start, stop = first + a * unit, first + b * unit
            low = max(start - halo, start - _since(bounds, (start - first) % L))
            high = min(stop + halo, stop - 1 + _until(bounds, (stop - 1 - first) % L))
            yield Window(slice(low, high), slice(start - low, stop - low), slice(block, block + 1))

    def _dilation(self, block: int) -> int:
        channel = block * self.columns
        for channels, dilation in self.layout:
            if channel < channels:
                return dilation
            channel -= channels
        raise IndexError(block)


def strip(shape: Sequence[int], layout: Layout, widest: int = COLUMNS) -> Strip:
    """Make the strip of fields (B, C, L). Short strips are cached.

    Args:
        shape: B, C, L.
        layout: channels and dilation of every group.
        widest: largest number of channels per row.
    """
    B, C, L = shape
    columns = _columns(layout, min(widest, COLUMNS))
    make = _kept if B * L * C // columns <= KEPT else _made
    return make((B, C, L), layout, columns)


def _made(shape: tuple[int, int, int], layout: Layout, columns: int) -> Strip:
    B, C, L = shape
    blocks = C // columns
    video = L * torch.arange(B)[:, None]
    there, joined, block = [], [], 0
    for channels, dilation in layout:
        order = _order(L, dilation)
        own = torch.arange(block, block + channels // columns)
        there.append((((video + order) * blocks).reshape(-1) + own[:, None]).reshape(-1))
        joined.append((order + dilation < L).float().repeat(len(own) * B))
        block += len(own)
    rows = torch.cat(there)
    back = torch.empty_like(rows)
    back[rows] = torch.arange(len(rows))
    return Strip(shape, layout, columns, rows, back, torch.cat(joined))


@lru_cache(maxsize=16)
def _kept(shape: tuple[int, int, int], layout: Layout, columns: int) -> Strip:
    with torch.inference_mode(False):  # else the next call could not train with this strip
        return _made(shape, layout, columns)


def _columns(layout: Layout, widest: int) -> int:
    """Return the largest number of channels per row that suits all groups."""
    common = gcd(*(channels for channels, _ in layout))
    return max((c for c in range(1, min(widest, common) + 1) if common % c == 0), default=1)


def _order(length: int, dilation: int) -> Tensor:
    """Return the clips (L,) ordered by remainder, then by time."""
    clips = torch.arange(length)
    return torch.cat([clips[start::dilation] for start in range(dilation)])


def _bounds(length: int, dilation: int) -> list[int]:
    """Return the rows at which the interleaved chains of a video start, and the end of the last."""
    longer, short = length % dilation, length // dilation
    return [n * short + min(n, longer) for n in range(dilation)] + [length]


def _since(bounds: list[int], row: int) -> int:
    """Return the number of rows of the same chain before this one."""
    return row - bounds[bisect_right(bounds, row) - 1]


def _until(bounds: list[int], row: int) -> int:
    """Return the number of rows of the same chain from this one on."""
    return bounds[bisect_right(bounds, row)] - row


def _edges(weights: Tensor | None, length: int, dilation: int, like: Tensor) -> Tensor:
    """Return (B or 1, L): weight of the edge (i, i + d) of every clip i, in the strip's order.

    A clip at the end of a chain has no such edge; the weight in its place has no meaning.
    """
    if weights is None or not weights.shape[-1]:
        return like.new_ones(1, length)
    left = _order(length, dilation).clamp(max=weights.shape[-1] - 1)
    return weights[:, 0].index_select(-1, left)


def _spans(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Divide 0 … count into parts of about equal size, at most `most`."""
    parts = -(-count // most)
    for part in range(parts):
        yield part * count // parts, (part + 1) * count // parts

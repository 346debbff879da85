"""Diffusion along the clips: a conservative graph Laplacian that stops at gaps and cuts.

All functions take numpy arrays or torch tensors whose LAST axis is time (L clips).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion.arrays import Array, boolean, like, namespace


def laplacian(
    w: Array, *, mask: Array | None = None, edges: Array | None = None, dilation: int = 1
) -> Array:
    """(Δw)_i = Σ_j g_ij m_i m_j (w_j - w_i) over the neighbours j = i ± dilation.

    w:     (..., L), any field.
    mask:  broadcastable to w, True at real clips; no flux enters or leaves the others.
    edges: broadcastable to (..., L - dilation), the weight g in [0, 1] of edge (i, i + dilation).
    Returns (..., L). Its sum over time is zero: diffusion moves mass and makes none.
    """
    w = w if mask is None else namespace(w).where(boolean(mask, w), w, 0.0)
    return _flux_balance(w, _links(w, mask, edges, dilation), dilation)


def diffuse(
    w: Array,
    a: Array,
    *,
    mask: Array | None = None,
    edges: Array | None = None,
    dilations: Sequence[int] = (1,),
) -> Array:
    """One diffusion step, w + a Δw; Δ is the mean of the Laplacians of the dilations.

    a: weight per step, D dt, in [0, 1/2]; a number or broadcastable to w. Up to 1/2 the step is a
       convex average: it keeps the mass and the bounds of w.
    edges: (..., L - 1), weights of neighbouring clips; see `span_edges` for longer dilations.
    """
    return w + a * Chain.of(w, mask=mask, edges=edges, dilations=dilations).laplacian(w)


def span_edges(edges: Array, dilation: int) -> Array:
    """Weights of the edges (i, i + dilation) from those of neighbours: the weakest one crossed.

    edges: (..., L - 1) -> (..., L - dilation), empty where L <= dilation. A cut so stops every
    edge across it.
    """
    xp = namespace(edges)
    count = max(edges.shape[-1] - dilation + 1, 0)
    weakest = edges[..., :count]
    for shift in range(1, dilation):
        weakest = xp.minimum(weakest, edges[..., shift : shift + count])
    return weakest


@dataclass(frozen=True)
class Chain:
    """A chain of clips, prepared once and diffused along many times.

    links: for every dilation d the weight of edge (i, i + d), broadcastable to (..., L - d);
           None where all weights are 1.
    """

    dilations: tuple[int, ...]
    links: tuple[Array | None, ...]

    @classmethod
    def of(
        cls,
        w: Array,
        *,
        mask: Array | None = None,
        edges: Array | None = None,
        dilations: Sequence[int] = (1,),
    ) -> Chain:
        """The chain under a field w (..., L); edges (..., L - 1) as for `diffuse`."""
        dilations = checked_dilations(dilations)
        edges = None if edges is None else like(edges, w)
        spans = (None if edges is None else span_edges(edges, d) for d in dilations)
        links = (_links(w, mask, g, d) for g, d in zip(spans, dilations, strict=True))
        return cls(dilations, tuple(links))

    def laplacian(self, w: Array) -> Array:
        """The mean of the Laplacians of all dilations; w finite at masked clips."""
        pairs = zip(self.links, self.dilations, strict=True)
        parts = [_flux_balance(w, link, d) for link, d in pairs]
        return parts[0] if len(parts) == 1 else sum(parts[1:], parts[0]) / len(parts)

    @property
    def reach(self) -> int:
        """Clips to each side that one step sees."""
        return max(self.dilations)


def checked_dilations(dilations: Sequence[int]) -> tuple[int, ...]:
    """The dilations as a tuple of positive integers, or an error."""
    dilations = tuple(dilations)
    if not dilations or any(d != int(d) or d < 1 for d in dilations):
        raise RdmfError(
            f"dilations are {dilations}", "dilations", "give one or more whole numbers from 1"
        )
    return tuple(int(d) for d in dilations)


def _flux_balance(w: Array, link: Array | None, dilation: int) -> Array:
    """What comes over each clip's right edge minus what goes over its left edge."""
    xp = namespace(w)
    flux = w[..., dilation:] - w[..., :-dilation]
    flux = flux if link is None else link * flux
    none = xp.zeros_like(w[..., :dilation])  # no flux at the two ends
    return xp.concatenate([flux, none], -1) - xp.concatenate([none, flux], -1)


def _links(w: Array, mask: Array | None, edges: Array | None, dilation: int) -> Array | None:
    if edges is not None:
        edges = _fitting(like(edges, w), w, dilation)
    if mask is None:
        return edges
    mask = boolean(mask, w)
    both = mask[..., dilation:] & mask[..., :-dilation]
    return like(both, w) if edges is None else namespace(w).where(both, edges, 0.0)


def _fitting(edges: Array, w: Array, dilation: int) -> Array:
    wanted = max(w.shape[-1] - dilation, 0)
    if edges.shape[-1] != wanted:
        raise RdmfError(
            f"{edges.shape[-1]} edge weights for {w.shape[-1]} clips",
            "edges",
            f"give {wanted}, one for every pair of clips {dilation} apart",
        )
    return edges

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
    """Compute (Δw)_i = Σ_j g_ij m_i m_j (w_j - w_i) over the neighbours j = i ± dilation.

    Args:
        w: (..., L) any field.
        mask: broadcasts to w, True at real clips; nothing flows into or out of masked clips.
        edges: broadcasts to (..., L - dilation), the weight g in [0, 1] of edge (i, i + dilation).
        dilation: distance of the neighbours in clips.

    Returns:
        (..., L). The sum over time is 0: diffusion moves mass and creates none.
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
    """Diffuse by one step: w + a Δw, where Δ is the mean of the Laplacians of the dilations.

    Args:
        w: (..., L) any field.
        a: diffusion per step, D dt, in [0, 1/2]; a number, or broadcasts to w. Up to 1/2, a step is
            a convex average, which keeps the mass and the bounds of w.
        mask: broadcasts to w, True at real clips.
        edges: (..., L - 1) weights between neighbouring clips; `span_edges` derives the weights for
            longer dilations.
        dilations: distances of the neighbours in clips.

    Returns:
        (..., L).
    """
    return w + a * Chain.of(w, mask=mask, edges=edges, dilations=dilations).laplacian(w)


def span_edges(edges: Array, dilation: int) -> Array:
    """Derive the weight of edge (i, i + dilation): the smallest weight between the two clips.

    So a cut blocks every edge that crosses the cut.

    Args:
        edges: (..., L - 1) weights between neighbouring clips.
        dilation: distance in clips.

    Returns:
        (..., L - dilation), empty if L <= dilation.
    """
    xp = namespace(edges)
    count = max(edges.shape[-1] - dilation + 1, 0)
    weakest = edges[..., :count]
    for shift in range(1, dilation):
        weakest = xp.minimum(weakest, edges[..., shift : shift + count])
    return weakest


@dataclass(frozen=True)
class Chain:
    """A chain of clips that is prepared once and used by many diffusion steps.

    Attributes:
        dilations: distances of the neighbours in clips.
        links: for every dilation d the weight of edge (i, i + d), broadcasts to (..., L - d); None
            if all weights are 1.
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
        """Prepare the chain of clips for a field.

        Args:
            w: (..., L) the field.
            mask: broadcasts to w, True at real clips.
            edges: (..., L - 1) weights between neighbouring clips.
            dilations: distances of the neighbours in clips.

        Raises:
            RdmfError: the number of edges does not fit the clips, or a dilation is not a positive
                integer.
        """
        dilations = checked_dilations(dilations)
        edges = None if edges is None else like(edges, w)
        spans = (None if edges is None else span_edges(edges, d) for d in dilations)
        links = (_links(w, mask, g, d) for g, d in zip(spans, dilations, strict=True))
        return cls(dilations, tuple(links))

    def laplacian(self, w: Array) -> Array:
        """Compute the mean of the Laplacians of all dilations.

        Args:
            w: (..., L) field, finite at masked clips too.

        Returns:
            (..., L).
        """
        pairs = zip(self.links, self.dilations, strict=True)
        parts = [_flux_balance(w, link, d) for link, d in pairs]
        return parts[0] if len(parts) == 1 else sum(parts[1:], parts[0]) / len(parts)

    @property
    def reach(self) -> int:
        """Number of clips to each side of a clip that one step sees."""
        return max(self.dilations)


def checked_dilations(dilations: Sequence[int]) -> tuple[int, ...]:
    """Return the dilations as a tuple of positive integers.

    Raises:
        RdmfError: there is no dilation, or a dilation is not a positive integer.
    """
    dilations = tuple(dilations)
    if not dilations or any(d != int(d) or d < 1 for d in dilations):
        raise RdmfError(
            f"dilations are {dilations}", "dilations", "give one or more integers of at least 1"
        )
    return tuple(int(d) for d in dilations)


def _flux_balance(w: Array, link: Array | None, dilation: int) -> Array:
    """Return (..., L): the flux over each clip's right edge minus the flux over its left edge."""
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
            f"give {wanted}, one per pair of clips {dilation} apart",
        )
    return edges

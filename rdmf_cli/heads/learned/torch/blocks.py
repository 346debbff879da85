"""Modules that fusions and decoder share: attention, feed-forward, residual blocks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

MASKED = 1e4
"""Subtracted from the logits of masked entries: larger than any logit, and finite in bfloat16."""


class Context(NamedTuple):
    """The inputs of a fusion block besides the clips.

    Attributes:
        mask: (B, L) True at real clips.
        edges: (B, L - 1) edge weights between neighbouring clips.
        words: (B, T, W) the query's words, for a fusion that reads words; else None.
        word_mask: (B, T) True at real words.
        stretch: (B,) number of clips that count as one clip of training; None: one clip.
        query: (B, P) the projected query, for rates that depend on it; else None.
    """

    mask: Tensor
    edges: Tensor
    words: Tensor | None = None
    word_mask: Tensor | None = None
    stretch: Tensor | None = None
    query: Tensor | None = None

    def of(self, rows: Tensor) -> Context:
        """Return the context of those videos of the batch that `rows` (n,) selects."""
        chosen = {name: x[rows] for name, x in self._asdict().items() if x is not None}
        return Context(**chosen)

    @property
    def one_stretch(self) -> float:
        """The stretch, which is the same for all videos of the batch (see `FusionBlock`)."""
        return 1.0 if self.stretch is None else float(self.stretch[0])


class Attention(nn.Module):
    """Multi-head attention of x (B, N, W) to tokens (B, M, W).

    Args:
        width: W.
        heads: number of attention heads.
        dropout: share of the attention weights that training drops.
        inner: width of all attention heads together; None: W.
    """

    def __init__(self, width: int, heads: int, dropout: float, inner: int | None = None):
        super().__init__()
        inner = inner or width
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.out = nn.Linear(inner, width)

    def forward(self, x: Tensor, tokens: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Attend.

        Args:
            x: (B, N, W) input for the queries of the attention.
            tokens: (B, M, W) input for the keys of the attention (for example with positions).
            values: (B, M, W) input for the values of the attention.
            mask: (B, M) True at real tokens.

        Returns:
            (B, N, W).
        """
        q, k, v = self.query(x), self.key(tokens), self.value(values)
        bias = (mask.to(q.dtype) - 1.0) * MASKED  # finite: no NaN even if no token is real
        read = functional.scaled_dot_product_attention(
            self._split(q),
            self._split(k),
            self._split(v),
            attn_mask=bias[:, None, None],
            dropout_p=self.dropout if self.training else 0.0,
        )
        attended: Tensor = self.out(read.transpose(1, 2).flatten(2))
        return attended

    def _split(self, x: Tensor) -> Tensor:
        split: Tensor = x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return split  # (B, heads, N, inner / heads)


def feed_forward(width: int, dropout: float) -> nn.Sequential:
    """Build a feed-forward network (..., W) -> (..., W) with one hidden layer of 2 W."""
    return nn.Sequential(
        nn.Linear(width, 2 * width),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(2 * width, width),
    )


class FusionBlock(nn.Module):
    """x + fusion(norm(x)), then x + feed_forward(norm(x)), on clips (B, L, W)."""

    def __init__(self, fusion: nn.Module, width: int, dropout: float):
        super().__init__()
        self.fusion_norm, self.fusion = nn.LayerNorm(width), fusion
        self.norm, self.feed_forward = nn.LayerNorm(width), feed_forward(width, dropout)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """Fuse clips x (B, L, W) along time; return (B, L, W)."""
        x = x + self.drop(by_clip_length(self.fusion, self.fusion_norm(x), context))
        fused: Tensor = x + self.drop(self.feed_forward(self.norm(x)))
        return fused


def by_clip_length(fusion: nn.Module, x: Tensor, context: Context) -> Tensor:
    """Run a module once per clip length of a batch, because distances depend on the clip length.

    Args:
        fusion: module that takes clips (B, L, W) and their context.
        x: (B, L, W) clips.
        context: the further inputs of the module.

    Returns:
        (B, L, …) the results, in the order of x.
    """
    together: Tensor
    stretch = context.stretch
    if stretch is None or torch.jit.is_tracing() or bool((stretch == stretch[0]).all()):
        together = fusion(x, context)
        return together
    rows = [(stretch == one).nonzero()[:, 0] for one in stretch.unique()]
    parts = [fusion(x[some], context.of(some)) for some in rows]
    together = torch.cat(parts)[torch.cat(rows).argsort()]
    return together


class SlotLayer(nn.Module):
    """Self-attention among slots (B, K, W), so that one of two equal slots can score lower."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads, dropout)
        self.norm, self.feed_forward = nn.LayerNorm(width), feed_forward(width, dropout)
        self.drop = nn.Dropout(dropout)

    def forward(self, slots: Tensor, mask: Tensor) -> Tensor:
        """Attend among slots (B, K, W); `mask` (B, K) is True at real slots. Return (B, K, W)."""
        normed = self.attention_norm(slots)
        slots = slots + self.drop(self.attention(normed, normed, normed, mask))
        refined: Tensor = slots + self.drop(self.feed_forward(self.norm(slots)))
        return refined

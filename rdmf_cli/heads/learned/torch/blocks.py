"""Parts that fusions and decoder share: attention, feed-forward, residual blocks."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

MASKED = 1e4
"""Taken from the logit of what is masked: beyond any logit, and finite in bfloat16."""


class Context(NamedTuple):
    """What clips meet in.

    mask, edges:      (B, L) real clips, (B, L - 1) weights between neighbours
    words, word_mask: (B, T, W), (B, T) of the query, where a fusion reads them
    """

    mask: Tensor
    edges: Tensor
    words: Tensor | None = None
    word_mask: Tensor | None = None


class Attention(nn.Module):
    """What (B, N, W) reads from tokens (B, M, W) by several heads; mask (B, M): which are real.

    inner: width of all heads together, W by default
    """

    def __init__(self, width: int, heads: int, dropout: float, inner: int | None = None):
        super().__init__()
        inner = inner or width
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.out = nn.Linear(inner, width)

    def forward(self, x: Tensor, tokens: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """x asks, tokens are asked (with their positions, say), values are what is read there."""
        q, k, v = self.query(x), self.key(tokens), self.value(values)
        bias = (mask.to(q.dtype) - 1.0) * MASKED  # finite: where nothing is real, NaN is nowhere
        read = functional.scaled_dot_product_attention(
            self._split(q),
            self._split(k),
            self._split(v),
            attn_mask=bias[:, None, None],
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(read.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, N, inner / heads)


def feed_forward(width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, 2 * width),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(2 * width, width),
    )


class FusionBlock(nn.Module):
    """x + fusion(norm(x)), then x + feed-forward(norm(x)): clips (B, L, W) meet along time."""

    def __init__(self, fusion: nn.Module, width: int, dropout: float):
        super().__init__()
        self.fusion_norm, self.fusion = nn.LayerNorm(width), fusion
        self.norm, self.feed_forward = nn.LayerNorm(width), feed_forward(width, dropout)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        x = x + self.drop(self.fusion(self.fusion_norm(x), context))
        return x + self.drop(self.feed_forward(self.norm(x)))


class SlotLayer(nn.Module):
    """Slots (B, K, W) attend to one another, so that of two that say the same one may give way."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads, dropout)
        self.norm, self.feed_forward = nn.LayerNorm(width), feed_forward(width, dropout)
        self.drop = nn.Dropout(dropout)

    def forward(self, slots: Tensor, mask: Tensor) -> Tensor:
        normed = self.attention_norm(slots)
        slots = slots + self.drop(self.attention(normed, normed, normed, mask))
        return slots + self.drop(self.feed_forward(self.norm(slots)))

"""Pooling of features over spans with fractional ends: means over bins inside and around them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BINS_AROUND = 4  # number of bins around a span: two before and two after
LEAST_WIDTH = 0.5  # clips: a narrower span is pooled as if it had this width
MARGIN, LEAST_MARGIN = 0.5, 2.0  # width around a span: share of the span, minimum number of clips
SOFTENING = 0.05  # number of zero clips in every mean, so that small parts of a clip count little
SEEN = 0.01  # clips: a bin that holds less of the video is marked as empty


def bin_edges(spans: Tensor, bins: int, stretch: Tensor | float = 1.0) -> Tensor:
    """Compute the borders of the bins, from before the spans to after the spans.

    Args:
        spans: (B, K, 2) [start, end] in clips.
        bins: number of bins inside a span.
        stretch: number of clips that count as one clip of training in the minimum margin; (B, 1),
            or one number.

    Returns:
        (B, K, bins + BINS_AROUND + 1) in clips.
    """
    start, end = spans.unbind(-1)
    width = (end - start).clamp_min(LEAST_WIDTH)
    margin = torch.maximum(width * MARGIN, torch.ones_like(width) * LEAST_MARGIN * stretch)
    inside = start[..., None] + width[..., None] * torch.linspace(0, 1, bins + 1).to(spans)
    before = start[..., None] - margin[..., None] * torch.tensor([1.0, 0.5]).to(spans)
    behind = end[..., None] + margin[..., None] * torch.tensor([0.5, 1.0]).to(spans)
    return torch.cat([before, inside, behind], -1)


def last_clip(mask: Tensor) -> Tensor:
    """Count the clips up to the last real clip, for each mask (B, L); return (B,) as float."""
    places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (places * mask).amax(1).to(torch.float32)


def pool(
    features: Tensor, mask: Tensor, spans: Tensor, bins: int, stretch: Tensor | float = 1.0
) -> tuple[Tensor, Tensor]:
    """Average features over the bins of every span.

    The integral over a bin is exact (differences of cumulative sums). Masked clips, and parts of a
    bin outside the video, do not count.

    Args:
        features: (B, L, D), constant within a clip.
        mask: (B, L) True at real clips.
        spans: (B, K, 2) [start, end] in clips.
        bins: number of bins inside a span.
        stretch: as in `bin_edges`.

    Returns:
        Means (B, K, bins + BINS_AROUND, D), and 1 for bins that hold some video, (B, K, bins +
        BINS_AROUND).
    """
    features = features.float()  # cumulative sums need this precision
    real = mask.to(features.dtype)[..., None]
    sums = _running(torch.cat([features * real, real], -1))
    edges = bin_edges(spans.float(), bins, stretch).clamp_min(0.0)
    edges = torch.minimum(edges, last_clip(mask)[:, None, None])
    upto = _at(sums, edges)
    parts = upto[:, :, 1:] - upto[:, :, :-1]
    total, clips = parts[..., :-1], parts[..., -1:]
    return total / (clips + SOFTENING), (clips[..., 0] > SEEN).to(features.dtype)


def _running(x: Tensor) -> Tensor:
    """Return (B, L + 1, D): sums over all clips before each border between clips."""
    return functional.pad(x.cumsum(1), (0, 0, 1, 0))


def _at(sums: Tensor, edges: Tensor) -> Tensor:
    """Return cumulative sums (B, L + 1, D) at borders (B, K, P) within clips: (B, K, P, D)."""
    D = sums.shape[-1]
    clip = edges.detach().floor().long().clamp_max(sums.shape[1] - 2)
    share = (edges - clip).flatten(1)[..., None]
    place = clip.flatten(1)[..., None].expand(-1, -1, D)
    low, high = sums.gather(1, place), sums.gather(1, place + 1)
    interpolated: Tensor = (low + (high - low) * share).unflatten(1, edges.shape[1:])
    return interpolated

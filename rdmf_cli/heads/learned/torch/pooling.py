"""Features of a span of clips to fractions: means over bins inside and around it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

AROUND = 4  # bins: two before and two behind
LEAST_WIDTH = 0.5  # clips: a narrower slot is looked at as if so wide
MARGIN, LEAST_MARGIN = 0.5, 2.0  # of the width, and in clips: how far around is looked
SOFTENING = 0.05  # clips of zeros in every mean, so that slivers of a clip count little
SEEN = 0.01  # clips: bins with less of the video are marked as not seen


def bin_edges(spans: Tensor, bins: int) -> Tensor:
    """(B, K, bins + AROUND + 1) edges in clips, from before the spans (B, K, 2) to behind them."""
    start, end = spans.unbind(-1)
    width = (end - start).clamp_min(LEAST_WIDTH)
    margin = (width * MARGIN).clamp_min(LEAST_MARGIN)
    inside = start[..., None] + width[..., None] * torch.linspace(0, 1, bins + 1).to(spans)
    before = start[..., None] - margin[..., None] * torch.tensor([1.0, 0.5]).to(spans)
    behind = end[..., None] + margin[..., None] * torch.tensor([0.5, 1.0]).to(spans)
    return torch.cat([before, inside, behind], -1)


def last_clip(mask: Tensor) -> Tensor:
    """(B,): clips up to the last real one, as float."""
    places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (places * mask).amax(1).to(torch.float32)


def pool(features: Tensor, mask: Tensor, spans: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Means (B, K, bins + AROUND, D) over each span's bins, and which bins show some video.

    features: (B, L, D), constant within a clip; mask: (B, L); spans: (B, K, 2) in clips.
    The integral over a bin is exact, by differences of running sums; masked clips and what lies
    outside of the video count for nothing.
    """
    features = features.float()  # running sums want it
    real = mask.to(features.dtype)[..., None]
    sums = _running(torch.cat([features * real, real], -1))
    edges = bin_edges(spans.float(), bins).clamp_min(0.0)
    edges = torch.minimum(edges, last_clip(mask)[:, None, None])
    upto = _at(sums, edges)
    parts = upto[:, :, 1:] - upto[:, :, :-1]
    total, clips = parts[..., :-1], parts[..., -1:]
    return total / (clips + SOFTENING), (clips[..., 0] > SEEN).to(features.dtype)


def _running(x: Tensor) -> Tensor:
    """(B, L + 1, D): sums over the clips before each edge between clips."""
    return functional.pad(x.cumsum(1), (0, 0, 1, 0))


def _at(sums: Tensor, edges: Tensor) -> Tensor:
    """Running sums (B, L + 1, D) at edges (B, K, P) that lie within clips: (B, K, P, D)."""
    D = sums.shape[-1]
    clip = edges.detach().floor().long().clamp_max(sums.shape[1] - 2)
    share = (edges - clip).flatten(1)[..., None]
    place = clip.flatten(1)[..., None].expand(-1, -1, D)
    low, high = sums.gather(1, place), sums.gather(1, place + 1)
    return (low + (high - low) * share).unflatten(1, edges.shape[1:])

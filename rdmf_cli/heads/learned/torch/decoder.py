"""The slot decoder: it turns slots into moments, each with a score and refined ends."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.torch.blocks import SlotLayer
from rdmf_cli.heads.learned.torch.pooling import BINS_AROUND, last_clip, pool

GEOMETRY = 6  # count of the numbers that describe a slot's length and place
LONGEST = 300.0  # seconds: a longer slot counts as this long
BORDER = 0.01  # clips: a slot this near to an end of the video touches that end
LEAST_SPAN = 0.25  # clips: shortest span that is predicted


class Decoded(NamedTuple):
    """The moments of a batch.

    Attributes:
        spans: (B, K, 2) [start, end] in clips.
        scores: (B, K) log-odds of the expected IoU.
    """

    spans: Tensor
    scores: Tensor


class SlotDecoder(nn.Module):
    """Slots with their pooled features attend to each other. Each gets a score and refined ends.

    Args:
        config: the head's configuration.
        curves: R, number of curves that are pooled together with the features.
    """

    def __init__(self, config: ModelConfig, curves: int):

        super().__init__()
        self.config = config
        bins, width = config.bins + BINS_AROUND, config.slot_width
        self.project = nn.Linear(config.width, config.slot_features)
        self.embed = nn.Linear(bins * (config.slot_features + curves + 1) + GEOMETRY, width)
        heads, dropout = config.heads, config.decoder_dropout
        self.layers = nn.ModuleList(
            SlotLayer(width, heads, dropout) for _ in range(config.decoder_layers)
        )
        last = nn.Linear(width, 3)
        nn.init.zeros_(last.weight)  # at first every slot keeps its ends
        nn.init.zeros_(last.bias)
        self.out = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), last
        )

    def forward(
        self,
        features: Tensor,
        curves: Tensor,
        clip_length: Tensor,
        mask: Tensor,
        slots: Tensor,
        slot_mask: Tensor,
    ) -> Decoded:
        """Decode slots.

        Args:
            features: (B, L, W) features of the clips.
            curves: (B, L, R) raw curves of the clips.
            clip_length: (B,) lengths of the clips in seconds.
            mask: (B, L) True at real clips.
            slots: (B, K, 2) [start, end] in clips.
            slot_mask: (B, K) True at real slots.

        Returns:
            Spans (B, K, 2) in clips and scores (B, K).
        """
        seen = torch.cat([self.project(features).float(), curves.float()], -1)
        stretch = self._stretch(clip_length)
        pooled, shown = pool(seen, mask, slots, self.config.bins, stretch)
        end = last_clip(mask)[:, None]
        known = [pooled.flatten(2), shown, geometry(slots, end, clip_length[:, None])]
        x = functional.gelu(self.embed(torch.cat(known, -1)))
        for layer in self.layers:
            x = layer(x, slot_mask)
        score, left, right = self.out(x).float().unbind(-1)
        return Decoded(self._refined(slots, left, right, end, stretch), score)

    def _stretch(self, clip_length: Tensor) -> Tensor | float:
        """Return `ModelConfig.stretch` of each video, (B, 1)."""
        if self.config.time == "clips":
            return 1.0
        return (self.config.clip_length / clip_length)[:, None]

    def _refined(
        self, slots: Tensor, left: Tensor, right: Tensor, end: Tensor, stretch: Tensor | float
    ) -> Tensor:
        """Move both ends by at most the slots' reach, within a video of `end` (B, 1) clips."""
        first, last = slots.unbind(-1)
        reach = self._reach(last - first, stretch)
        first = torch.minimum((first + reach * left.tanh()).clamp_min(0.0), end - 2 * LEAST_SPAN)
        last = torch.minimum(last + reach * right.tanh(), end)
        return torch.stack([first, torch.maximum(last, first + LEAST_SPAN)], -1)

    def _reach(self, width: Tensor, stretch: Tensor | float) -> Tensor:
        if self.config.slots == "pattern":  # such slots already lie on the pattern
            return torch.full_like(width, self.config.reach_clips) * stretch
        return self.config.reach_widths * width


def geometry(slots: Tensor, end: Tensor, clip_length: Tensor) -> Tensor:
    """Describe the length and the place of every slot.

    Args:
        slots: (B, K, 2) [start, end] in clips.
        end: (B, 1) number of clips of the video.
        clip_length: (B, 1) length of a clip in seconds.

    Returns:
        (B, K, GEOMETRY): length as a share of the video, square root and logarithm of the length in
        seconds, whether the slot touches the start and the end of the video, place of the slot's
        centre.
    """
    first, last = slots.unbind(-1)
    seconds = (last - first) * clip_length
    return torch.stack(
        [
            (last - first) / end,
            seconds.clamp_max(LONGEST).clamp_min(1e-6).sqrt() / 10,
            seconds.clamp_min(0.0).log1p() / 4,
            (first <= BORDER).to(slots.dtype),
            (last >= end - BORDER).to(slots.dtype),
            (first + last) / 2 / end,
        ],
        -1,
    )

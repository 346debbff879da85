"""The moving average of the weights (EMA), steadier than the last step's; it is scored and kept."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn


def decay_at(update: int, decay: float) -> float:
    """Return the decay of update 0, 1, …: small at first, to forget the initial weights soon."""
    return min(decay, (1 + update) / (10 + update))


class Average:
    """The averaged model; with `decay` None it is the model itself.

    Attributes:
        model: what to score and to keep.
    """

    def __init__(self, model: nn.Module, decay: float | None):
        self._source = model
        self._decay = decay
        self.model = model if decay is None else deepcopy(model).requires_grad_(False)

    @torch.no_grad()
    def update(self, update: int) -> None:
        """Average in the weights after step `update` (0, 1, …); buffers are copied."""
        if self._decay is None:
            return
        share = 1 - decay_at(update, self._decay)
        for mean, weight in zip(self.model.parameters(), self._source.parameters(), strict=True):
            mean.lerp_(weight, share)
        for kept, now in zip(self.model.buffers(), self._source.buffers(), strict=True):
            kept.copy_(now)

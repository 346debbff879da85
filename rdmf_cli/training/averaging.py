"""The moving average of the weights (EMA). It varies less than the weights of the last step."""

from __future__ import annotations

from copy import deepcopy
from typing import Generic, TypeVar

import torch
from torch import nn

LAG = 9  # updates

Model = TypeVar("Model", bound=nn.Module)


def decay_at(update: int, decay: float, lag: int = LAG) -> float:
    """Return the decay at update 0, 1, …: small at first, to drop the initial weights soon.

    Args:
        update: Number of the update.
        decay: The highest decay.
        lag: Number of updates after which the decay is one half, if `decay` is not lower.
    """
    return min(decay, (update + 1) / (update + 1 + lag))


class Average(Generic[Model]):
    """Hold the averaged model.

    Attributes:
        model: The model to score and to keep: the averaged model, or, if `decay` is None, the model
            that is trained.
    """

    def __init__(self, model: Model, decay: float | None, lag: int = LAG):
        self._source = model
        self._decay, self._lag = decay, lag
        self.model = model
        if decay is not None:
            self.model = deepcopy(model)
            self.model.requires_grad_(False)

    @torch.no_grad()
    def update(self, update: int) -> None:
        """Add the weights after training step `update` (0, 1, …) to the mean; copy the buffers."""
        if self._decay is None:
            return
        share = 1 - decay_at(update, self._decay, self._lag)
        for mean, weight in zip(self.model.parameters(), self._source.parameters(), strict=True):
            mean.lerp_(weight, share)
        for kept, now in zip(self.model.buffers(), self._source.buffers(), strict=True):
            kept.copy_(now)

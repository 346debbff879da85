"""`Task`: what the training loop needs of a task. The loop knows neither the model nor the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Task(Protocol):
    """A model with the samples that train it and the held-out samples that it is scored on.

    The loop moves `model` to its device; `losses` and `score` use that device.
    """

    model: nn.Module

    def __len__(self) -> int:
        """Return the number of training samples."""
        ...

    def batch(self, indices: Sequence[int], generator: torch.Generator) -> Any:
        """Collate samples, augmented by nothing but the generator.

        The generator is the same for every process of a step. So draw from
        `seeds.of_sample(generator, index)`: then a sample is augmented alike in whichever process
        it is.
        """
        ...

    def losses(self, batch: Any) -> Mapping[str, Tensor]:
        """Compute the losses, means over the samples of the batch.

        Returns:
            Scalars by name, always the same names: "total" is minimised, the others are shown and
            logged.
        """
        ...

    def score(self, model: nn.Module) -> Mapping[str, float]:
        """Score a model on the held-out samples, in evaluation mode and without gradients.

        Returns:
            Metrics by name. "goal", the monitored metric, is maximised: it chooses the best epoch
            and stops early. Empty where nothing is held out: then each epoch counts as better than
            the last.
        """
        ...

    def report(self, model: nn.Module) -> dict[str, Any]:
        """Report on the best model at the end, as JSON values."""
        ...

"""What the training loop asks of a task: it knows neither the model nor the data behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Task(Protocol):
    """A model with the samples it learns from and the held-out part it is judged by.

    The loop moves `model` to its device; `losses` and `score` follow it there.
    """

    model: nn.Module

    def __len__(self) -> int:
        """The number of training samples."""
        ...

    def batch(self, indices: Sequence[int], generator: torch.Generator) -> Any:
        """These samples, collated, and augmented by nothing but the generator.

        It is the same for every process of a step. So draw from `seeds.of_sample(generator,
        index)`: then a sample is augmented alike whichever process it falls to.
        """
        ...

    def losses(self, batch: Any) -> Mapping[str, Tensor]:
        """Scalars by name, always the same names: means over the samples of the batch.

        "total" is minimised; the others are shown and logged.
        """
        ...

    def score(self, model: nn.Module) -> Mapping[str, float]:
        """The held-out part's metrics for this model, in evaluation mode and without gradients.

        "goal" is maximised: it chooses the best epoch and stops early. Empty where nothing is held
        out: then each epoch counts as better than the last.
        """
        ...

    def report(self, model: nn.Module) -> dict[str, Any]:
        """What is said of the best model at the end, as JSON can hold it."""
        ...

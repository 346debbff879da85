"""`Task`: all that the training loop needs from a task. The loop knows neither model nor data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Task(Protocol):
    """Describe a model with its training samples and its held-out samples.

    The loop moves `model` to its device; `losses` and `score` use that device.
    """

    model: nn.Module

    def __len__(self) -> int:
        """Return the number of training samples."""
        ...

    def batch(self, indices: Sequence[int], generator: torch.Generator) -> Any:
        """Collate samples; use no randomness except the generator for augmentation.

        The generator is the same in every process of a training step. So draw from
        `seeds.of_sample(generator, index)`: then the augmentation of a sample does not depend on
        the process.
        """
        ...

    def losses(self, batch: Any) -> Mapping[str, Tensor]:
        """Compute the losses, means over the samples of the batch.

        Returns:
            Scalars by name, always the same names. "total" is minimised; all further losses are
            shown and logged.
        """
        ...

    def score(self, model: nn.Module) -> Mapping[str, float]:
        """Score a model on the held-out samples, in evaluation mode and without gradients.

        Returns:
            Metrics by name. "goal", the monitored metric, is maximised: it chooses the best epoch
            and stops the training early. Empty if nothing is held out; then each epoch counts as
            better than the epoch before it.
        """
        ...

    def report(self, model: nn.Module) -> dict[str, Any]:
        """Report on the best model at the end, as JSON values."""
        ...

"""The training loop of the towers, which counts steps; the loop of `rdmf train` counts epochs.

Schedule and moving average come from `rdmf_cli.training`. A tower is trained for a number of steps;
the number of a step determines its batch, and the log contains scores. A head is trained for epochs
over samples, and the epoch with the best held-out score is kept. If a run is killed, the same
command resumes from the last checkpoint, with the same result as without the interruption.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from rdmf_cli.files import write_own
from rdmf_cli.training.averaging import Average
from rdmf_cli.training.schedule import rate_share_throughout
from recipes.encoder.data import log

DECAY, LAG = 0.997, 20  # of the moving average
LOG_EVERY, CHECKPOINT_EVERY = 20, 100  # steps

Batch = TypeVar("Batch")
Tower = TypeVar("Tower", bound=nn.Module)


def save(path: Path, **state: object) -> None:
    """Write a checkpoint, completely or not at all."""
    write_own(path, lambda file: torch.save(state, file))


class Trainer(ABC, Generic[Tower, Batch]):
    """Trains a tower for a number of steps, and keeps the moving average of its weights.

    Args:
        tower: The tower.
        groups: Parameter groups of the optimizer, each with its highest "rate".
        steps: Number of steps.
        beta: The second moment's decay, of AdamW.

    Attributes:
        tower: The tower that is trained.
        clipped: Parameters whose gradient is clipped.
    """

    warm_up, least = 100, 0.02  # of `rate_share_throughout`
    decay: float | None = DECAY
    evaluate_every = 100  # steps
    clip_norm = 1.0

    def __init__(self, tower: Tower, groups: list[dict[str, Any]], steps: int, beta: float = 0.98):
        self.tower = tower
        self._average = Average(tower, self.decay, LAG)
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, beta))
        self.clipped = list(tower.parameters())
        self.step, self.steps = 0, steps

    @property
    def ema(self) -> Tower:
        """The tower with averaged weights; if `decay` is None, the trained tower itself."""
        return self._average.model

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Compute the loss of a batch, and its parts for the log."""

    def evaluate(self) -> str:
        """Return scores of `ema` for the log; empty: nothing is logged."""
        return ""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "student": self.tower.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Load the content of a checkpoint."""
        self.tower.load_state_dict(state["student"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def run(
        self, name: str, batches: Callable[[int, int], Iterable[Batch]], file: Path | None = None
    ) -> None:
        """Train to the end.

        Args:
            name: What is trained, for the log.
            batches: Gives the batches from one step up to another.
            file: The checkpoint; where it exists, training resumes from it. None: no checkpoint.
        """
        if file is not None and file.exists():
            self.restore(torch.load(file, weights_only=True))
            log.info("resuming from step %d", self.step)
        began = time.time()
        means: dict[str, float] = {}
        for batch in batches(self.step, self.steps):
            loss, parts = self.loss(batch)
            self._learn(loss)
            means = {k: 0.95 * means.get(k, v) + 0.05 * v for k, v in parts.items()}
            if self.step % LOG_EVERY == 0:
                shown = " ".join(f"{part} {value:.4f}" for part, value in means.items())
                spent = time.time() - began
                log.info("%s %d/%d %s %.0f s", name, self.step, self.steps, shown, spent)
            if file is not None and self._due(CHECKPOINT_EVERY):
                save(file, **self.state())
            if self._due(self.evaluate_every) and (found := self.evaluate()):
                log.info("step %d: %s", self.step, found)

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.steps

    def _learn(self, loss: Tensor) -> None:
        """Make one training step, with the learning rate of its number."""
        share = rate_share_throughout(self.step, self.steps, self.warm_up, self.least)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * share
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.clipped, self.clip_norm)
        self.optimizer.step()
        self._average.update(self.step)
        self.step += 1

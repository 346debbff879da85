"""The loop in which a tower learns: a rate that warms up and falls, averaged weights, a log.

Killed at any time it goes on from its last checkpoint, as if it had never stopped.
"""

from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from rdmf_cli.files import write_own
from recipes.encoder.data import log

EMA = 0.997
LOG_EVERY, CHECKPOINT_EVERY = 20, 100

Lesson = TypeVar("Lesson")
Student = TypeVar("Student", bound=nn.Module)


def save(path: Path, **state: object) -> None:
    """Write a checkpoint: the whole of it or, if killed, nothing."""
    write_own(path, lambda file: torch.save(state, file))


def rate_share(step: int, steps: int, warm_up: int = 30, least: float = 0.0) -> float:
    """Of the highest rate: a short warm-up, then down a cosine to the least."""
    falling = least + (1 - least) * (1 + math.cos(math.pi * step / steps)) / 2
    return min(1, (step + 1) / warm_up) * falling


class Learner(ABC, Generic[Student, Lesson]):
    """A student that learns in `steps` steps, and the running mean of its weights, `kept`.

    groups: of the optimizer, each with its highest "rate"
    """

    warm_up, least = 100, 0.02  # of `rate_share`
    look_every = 100  # steps
    longest = 1.0  # gradient of what is `clipped`

    def __init__(
        self, student: Student, groups: list[dict[str, Any]], steps: int, beta: float = 0.98
    ):
        self.student, self.kept = student, copy.deepcopy(student)
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, beta))
        self.clipped = list(student.parameters())
        self.step, self.steps = 0, steps

    @abstractmethod
    def loss(self, lesson: Lesson) -> tuple[Tensor, dict[str, float]]:
        """What to lower, and its parts for the log."""

    @abstractmethod
    def look(self) -> str:
        """What `kept` can do, for the log."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "student": self.student.state_dict(),
            "ema": self.kept.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be what a checkpoint holds."""
        self.student.load_state_dict(state["student"])
        self.kept.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def run(self, file: Path, lessons: Callable[[int, int], Iterable[Lesson]]) -> None:
        """Learn to the end, from where `file` is if there is one.

        lessons: those from one step up to another
        """
        if file.exists():
            self.restore(torch.load(file, weights_only=True))
            log.info("going on from step %d", self.step)
        began = time.time()
        means: dict[str, float] = {}
        for lesson in lessons(self.step, self.steps):
            loss, numbers = self.loss(lesson)
            self._learn(loss)
            means = {k: 0.95 * means.get(k, v) + 0.05 * v for k, v in numbers.items()}
            if self.step % LOG_EVERY == 0:
                told = " ".join(f"{name} {value:.4f}" for name, value in means.items())
                spent = time.time() - began
                log.info("%s %d/%d %s %.0f s", file.stem, self.step, self.steps, told, spent)
            if self._due(CHECKPOINT_EVERY):
                save(file, **self.state())
            if self._due(self.look_every):
                log.info("step %d: %s", self.step, self.look())

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.steps

    def _learn(self, loss: Tensor) -> None:
        """One step, at the rate that its number asks for."""
        share = rate_share(self.step, self.steps, self.warm_up, self.least)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * share
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.clipped, self.longest)
        self.optimizer.step()
        self.step += 1
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(EMA, self.step / (self.step + 20))
        mean: list[Tensor] = [*self.kept.parameters()]
        now: list[Tensor] = [*self.student.parameters()]
        torch._foreach_lerp_(mean, now, 1 - decay)

"""What is told while a training runs, and to whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Numbers = dict[str, float]


@dataclass(frozen=True)
class Best:
    """The epoch (from 1) of the highest goal, and its held-out scores.

    Without scores, where nothing is held out, it is the last.
    """

    epoch: int
    scores: Numbers

    @property
    def goal(self) -> float:
        return self.scores.get("goal", math.nan)

    def beaten_by(self, scores: Numbers) -> bool:
        return not scores or scores["goal"] > self.goal


@dataclass(frozen=True)
class Plan:
    """What is about to run.

    epochs:     those planned; `done` of them lie behind, in an earlier run
    steps:      in each epoch
    settings:   the options and what else must stay the same for a training to go on
    """

    epochs: int
    steps: int
    done: int
    samples: int
    parameters: int
    processes: int
    device: str
    precision: str
    best: Best | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One step: its number (from 1, over all epochs) and means over its batch.

    samples: of the batch; seconds: since the training began, over all of its runs
    """

    epoch: int
    step: int
    losses: Numbers
    rate: float
    gradient_norm: float
    samples: int
    seconds: float


@dataclass(frozen=True)
class Epoch:
    """One epoch: means over its samples and steps, held-out scores, and the best one so far."""

    epoch: int
    step: int
    losses: Numbers
    scores: Numbers
    rate: float
    gradient_norm: float
    seconds: float
    best: Best


class Watcher:
    """Is told what happens, and does nothing; override what you want to know."""

    def begun(self, plan: Plan) -> None:
        """Before the first step of this run."""

    def stepped(self, step: Step) -> None:
        """After each step."""

    def scored(self, epoch: Epoch) -> None:
        """After each epoch."""

    def note(self, text: str) -> None:
        """One line that a person should read."""

    def ended(self) -> None:
        """No more will be told, whether all went well or not."""


class Watchers(Watcher):
    """Tells each of several watchers."""

    def __init__(self, watchers: Sequence[Watcher]):
        self._watchers = watchers

    def begun(self, plan: Plan) -> None:
        for watcher in self._watchers:
            watcher.begun(plan)

    def stepped(self, step: Step) -> None:
        for watcher in self._watchers:
            watcher.stepped(step)

    def scored(self, epoch: Epoch) -> None:
        for watcher in self._watchers:
            watcher.scored(epoch)

    def note(self, text: str) -> None:
        for watcher in self._watchers:
            watcher.note(text)

    def ended(self) -> None:
        for watcher in self._watchers:
            watcher.ended()

"""Events of a training run, and the callbacks that receive them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Numbers = dict[str, float]


@dataclass(frozen=True)
class Best:
    """Hold the epoch (from 1) with the highest monitored metric, and its held-out scores.

    If nothing is held out, there are no scores, and the best epoch is the last epoch.
    """

    epoch: int
    scores: Numbers

    @property
    def goal(self) -> float:
        """The monitored metric; NaN without scores."""
        return self.scores.get("goal", math.nan)

    def beaten_by(self, scores: Numbers) -> bool:
        """Return whether an epoch with these scores is better."""
        return not scores or scores["goal"] > self.goal


@dataclass(frozen=True)
class Plan:
    """Hold what a run is about to do.

    Attributes:
        epochs: planned epochs, including the `done` epochs of earlier runs.
        steps: training steps per epoch.
        done: epochs that earlier runs trained.
        samples: training samples.
        parameters: number of parameters that are trained.
        processes: number of processes that train together.
        device: the device of the training.
        precision: "float32" or "bfloat16".
        best: the best epoch so far.
        settings: the options, and all other settings that must be unchanged when a run resumes.
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
    """Hold one training step; losses and gradient are means over its batch.

    Attributes:
        epoch: the epoch of the step, from 1.
        step: the number of the step, from 1, counted over all epochs.
        losses: the losses by name.
        rate: learning rate.
        gradient_norm: norm of the gradient before clipping.
        samples: samples in the batch.
        seconds: training time so far, over all runs.
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
    """Hold one epoch: means over samples and steps, held-out scores, the best epoch so far."""

    epoch: int
    step: int
    losses: Numbers
    scores: Numbers
    rate: float
    gradient_norm: float
    seconds: float
    best: Best


class Callback:
    """Receive training events; the methods of this base class do nothing."""

    def begun(self, plan: Plan) -> None:
        """Receive the plan, before the first step of this run."""

    def stepped(self, step: Step) -> None:
        """Receive a training step after it was made."""

    def scored(self, epoch: Epoch) -> None:
        """Receive an epoch after it was trained and scored."""

    def note(self, text: str) -> None:
        """Receive a line of text for the user."""

    def ended(self) -> None:
        """Close; called once at the end, also after a failure."""


class Callbacks(Callback):
    """Pass every event to several callbacks."""

    def __init__(self, callbacks: Sequence[Callback]):
        self._callbacks = callbacks

    def begun(self, plan: Plan) -> None:
        """Pass the plan on."""
        for callback in self._callbacks:
            callback.begun(plan)

    def stepped(self, step: Step) -> None:
        """Pass a training step on."""
        for callback in self._callbacks:
            callback.stepped(step)

    def scored(self, epoch: Epoch) -> None:
        """Pass an epoch on."""
        for callback in self._callbacks:
            callback.scored(epoch)

    def note(self, text: str) -> None:
        """Pass a note on."""
        for callback in self._callbacks:
            callback.note(text)

    def ended(self) -> None:
        """Close all callbacks."""
        for callback in self._callbacks:
            callback.ended()

"""The training loop: train, score and save epoch by epoch, so that a run can resume."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.text import counted
from rdmf_cli.training import state as states
from rdmf_cli.training.averaging import Average
from rdmf_cli.training.events import Best, Callback, Callbacks, Epoch, Numbers, Plan, Step
from rdmf_cli.training.log import LogFile, TensorBoard
from rdmf_cli.training.optimizer import adamw
from rdmf_cli.training.options import TrainingOptions
from rdmf_cli.training.parallel import Processes, joined
from rdmf_cli.training.schedule import rate_share, warm_up_steps
from rdmf_cli.training.seeds import generator_of, seed_everything, shuffled
from rdmf_cli.training.state import State, Weights
from rdmf_cli.training.task import Task


@dataclass(frozen=True)
class Result:
    """Hold the result of a training run.

    Attributes:
        best_epoch: the number of the best epoch, from 1.
        scores: held-out scores of the best epoch.
        checkpoint: file of the best weights: {"epoch", "scores", "model"} by torch.load.
        epochs: epochs trained, fewer than planned if training stopped early.
        seconds: training time, over all runs.
        report: the task's report of the best model.
    """

    best_epoch: int
    scores: Numbers
    checkpoint: Path
    epochs: int
    seconds: float
    report: dict[str, Any] = field(default_factory=dict)


def train(
    task: Task,
    options: TrainingOptions,
    out: Path | str,
    *,
    callback: Callback | None = None,
    about: Mapping[str, Any] | None = None,
    restart: bool = False,
) -> Result:
    """Train a task's model; in the end the model holds the best weights, in evaluation mode.

    After every epoch, the folder `out` holds a state. If `train` is called again with this folder,
    the training resumes from the state. The result is the same as without the interruption (on one
    thread of a CPU bit for bit). Under torchrun the processes train together as one. The generators
    of python, numpy and torch are seeded.

    Args:
        task: the model with its samples.
        options: how to train.
        out: run folder.
        callback: a callback that receives the events.
        about: further plain values that must stay the same (the data, the model's configuration).
        restart: start again; the old files stay in `out`/before-restart until the new training is
            complete.

    Raises:
        UsageError: `out` was trained with other settings, or holds files of the user.
        RdmfError: the state is damaged or belongs to another model, or a loss is not finite.
        KeyboardInterrupt: The user pressed Ctrl-C; its message says what is saved.
    """
    if not len(task):
        raise UsageError("there are no samples to train on", todo="check the annotations")
    out, callback = Path(out), callback or Callback()
    settings = {**options.as_dict(), "samples": len(task), **(about or {})}
    with joined(options.device) as processes, _deterministic(processes.device):
        processes.check_shares(min(options.batch_size, len(task)))
        with states.own_folder(out) if processes.first else nullcontext():
            if restart and processes.first:
                states.set_aside(out)
            training = _Training(task, options, processes)
            training.begin(out, settings)
            events = Callback()
            if processes.first:
                events = _callbacks(out, training.state, options.log_interval, callback)
            try:
                result = training.run(out, events)
                if processes.first:
                    states.forget(out)
                return result
            except KeyboardInterrupt as stop:
                stop.args = (_how_to_go_on(training.state, out),)
                raise
            finally:
                events.ended()


class _Training:
    """Run a training; `state` is the state after the last complete epoch."""

    state: State

    def __init__(self, task: Task, options: TrainingOptions, processes: Processes):
        self.task, self.options, self.processes = task, options, processes
        seed_everything(options.seed)
        self.model = task.model.to(processes.device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = adamw(self.model, options)
        self.average = Average(self.model, options.ema)
        self.epoch_steps = math.ceil(len(task) / options.batch_size)
        self.all_steps = self.epoch_steps * options.epochs
        self.warm_up = warm_up_steps(options.warm_up, self.all_steps)
        self.loss_names: list[str] = []

    def begin(self, out: Path, settings: dict[str, Any]) -> None:
        """Load the state of the folder, or the initial state, in all processes alike."""
        self.state = self.processes.from_first(
            lambda: states.load_state(out, settings) or self._first_state(settings)
        )
        try:
            self.model.load_state_dict(self.state.model)
            self.average.model.load_state_dict(self.state.average)
            self.optimizer.load_state_dict(self.state.optimizer)
        except (RuntimeError, ValueError) as error:
            what = "this checkpoint is of another model"
            raise RdmfError(what, out / states.STATE, states.RESTART) from error

    def _first_state(self, settings: dict[str, Any]) -> State:
        precision = _chosen_precision(self.options.precision, self.processes.device)
        return State(settings, precision, **self._weights())

    def _weights(self) -> dict[str, Any]:
        return {
            "model": _copied(self.model),
            "average": _copied(self.average.model),
            "optimizer": deepcopy(self.optimizer.state_dict()),
        }

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or `patience` epochs brought no better score."""
        state, patience = self.state, self.options.patience
        out_of_patience = 0 < patience <= state.epoch - state.best_epoch
        return state.epoch >= self.options.epochs or out_of_patience

    def run(self, out: Path, events: Callback) -> Result:
        """Train epoch after epoch to the end."""
        if self.processes.first:
            states.save_best(out, self.state)
        events.begun(self._plan())
        began = time.monotonic() - self.state.seconds
        while not self.finished:
            epoch, self.state = self._epoch(began, events)
            events.scored(epoch)
            if self.processes.first:
                states.save_state(out, self.state)
        if self.state.epoch < self.options.epochs:
            patience = self.options.patience
            events.note(
                f"stopped early: the held-out score did not improve in {counted(patience, 'epoch')}"
            )
        return self._result(out)

    def _plan(self) -> Plan:
        state = self.state
        return Plan(
            epochs=self.options.epochs,
            steps=self.epoch_steps,
            done=state.epoch,
            samples=len(self.task),
            parameters=sum(p.numel() for p in self.parameters),
            processes=self.processes.count,
            device=str(self.processes.device),
            precision=state.precision,
            best=state.best,
            settings=state.settings,
        )

    def _epoch(self, began: float, events: Callback) -> tuple[Epoch, State]:
        """Train one epoch; return its summary and the state after it."""
        number, steps = self.state.epoch + 1, []
        seed_everything(self.options.seed, number, self.processes.rank, 0)
        self.model.train()
        for step, indices in enumerate(self._batches(number), self.state.step):
            losses, norm = self._step(number, step, indices)
            seconds = time.monotonic() - began
            rate = self._rate(step)
            steps.append(Step(number, step + 1, losses, rate, norm, len(indices), seconds))
            events.stepped(steps[-1])
        scores = self.processes.from_first(self._scores)
        state = self._state_after(number, scores, time.monotonic() - began)
        assert state.best is not None
        return _summary(steps, scores, state.best, state.seconds), state

    def _batches(self, epoch: int) -> Iterator[list[int]]:
        order, size = shuffled(len(self.task), self.options.seed, epoch), self.options.batch_size
        return (order[start : start + size] for start in range(0, len(order), size))

    @torch.no_grad()
    def _scores(self) -> Numbers:
        model = self.average.model.eval()
        scores = {name: float(value) for name, value in self.task.score(model).items()}
        if not math.isfinite(scores.get("goal", 0.0)):
            what = f"the held-out score after epoch {self.state.epoch + 1} is {scores['goal']}"
            raise RdmfError(what, todo="check the held-out features and annotations")
        return scores

    def _state_after(self, epoch: int, scores: Numbers, seconds: float) -> State:
        before, weights = self.state, self._weights()
        best, best_model = before.best, before.best_model
        if best is None or best.beaten_by(scores):
            best, best_model = Best(epoch, scores), weights["average"]
        return State(
            before.settings,
            before.precision,
            **weights,
            epoch=epoch,
            step=before.step + self.epoch_steps,
            seconds=seconds,
            best_epoch=best.epoch,
            best_scores=best.scores,
            best_model=best_model,
        )

    def _result(self, out: Path) -> Result:
        state = self.state
        self.model.load_state_dict(state.best_model)
        self.model.eval()
        return Result(
            best_epoch=state.best_epoch,
            scores=state.best_scores,
            checkpoint=out / states.BEST,
            epochs=state.epoch,
            seconds=state.seconds,
            report=self.processes.from_first(self._report),
        )

    @torch.no_grad()
    def _report(self) -> dict[str, Any]:
        return self.task.report(self.model)

    def _rate(self, step: int) -> float:
        return self.options.rate * rate_share(step, self.all_steps, self.warm_up)

    def _step(self, epoch: int, step: int, indices: Sequence[int]) -> tuple[Numbers, float]:
        """Make one training step; return the losses and the gradient norm before the step."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate(step)
        self.optimizer.zero_grad()
        own = self._backward(epoch, step, indices)
        sums = self.processes.sum(own, self.parameters)
        losses = dict(zip(self.loss_names, sums.tolist(), strict=True))
        _check_losses(losses, epoch, step)
        limit = self.options.clip_norm or math.inf
        norm = float(nn.utils.clip_grad_norm_(self.parameters, limit))
        if not math.isfinite(norm):
            raise _not_finite("the gradient", epoch, step)
        self.optimizer.step()
        self.average.update(step)
        return losses, norm

    def _backward(self, epoch: int, step: int, indices: Sequence[int]) -> Tensor:
        """Return this process's losses (names,), weighted by its share of the batch."""
        own = self.processes.share(indices)
        if not own:
            return torch.zeros(len(self.loss_names), device=self.processes.device)
        batch = self.task.batch(own, generator_of(self.options.seed, epoch, step))
        with self._autocast():
            losses = self.task.losses(batch)
        share = len(own) / len(indices)
        (losses["total"] * share).backward()
        self.loss_names = list(losses)
        return torch.stack([losses[name].detach().float() * share for name in self.loss_names])

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.processes.device.type,
            dtype=torch.bfloat16,
            enabled=self.state.precision == "bfloat16",
        )


@contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """Use only deterministic algorithms, if torch has them."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device.type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _chosen_precision(precision: str, device: torch.device) -> str:
    """Resolve "auto". The state stores the result, because a resumed run may have another GPU."""
    if precision != "auto":
        return precision
    coarse = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return "bfloat16" if coarse else "float32"


def _callbacks(out: Path, state: State, interval: int, callback: Callback) -> Callback:
    """Combine the log, TensorBoard (if it is installed) and the caller's callback."""
    callbacks: list[Callback] = [LogFile(out / states.LOG, state.epoch, interval), callback]
    try:
        callbacks.append(TensorBoard(out / states.TENSORBOARD, state.step, interval))
    except ImportError:
        callback.note("no TensorBoard log: tensorboard is not installed (pip install tensorboard)")
    return Callbacks(callbacks)


def _how_to_go_on(state: State, out: Path) -> str:
    if not state.epoch:
        return f"in the first epoch; nothing is saved in {out} yet"
    epochs = "epoch 1 is" if state.epoch == 1 else f"epochs 1 to {state.epoch} are"
    return f"{epochs} saved in {out}; run the same command again to resume"


def _copied(model: nn.Module) -> Weights:
    """Copy the present weights to the CPU."""
    return {name: t.detach().to("cpu", copy=True) for name, t in model.state_dict().items()}


def _summary(steps: Sequence[Step], scores: Numbers, best: Best, seconds: float) -> Epoch:
    """Summarise an epoch: losses are means over samples, the gradient norm is a mean over steps."""
    samples, last = sum(step.samples for step in steps), steps[-1]
    return Epoch(
        epoch=last.epoch,
        step=last.step,
        losses={
            name: math.fsum(step.losses[name] * step.samples for step in steps) / samples
            for name in last.losses
        },
        scores=scores,
        rate=last.rate,
        gradient_norm=math.fsum(step.gradient_norm for step in steps) / len(steps),
        seconds=seconds,
        best=best,
    )


def _check_losses(losses: Numbers, epoch: int, step: int) -> None:
    bad = [f"{name} ({value})" for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        raise _not_finite(f"the loss {', '.join(bad)}", epoch, step)


def _not_finite(what: str, epoch: int, step: int) -> RdmfError:
    return RdmfError(
        f"{what} is not finite at step {step + 1}, in epoch {epoch}",
        todo="try a lower learning rate or float32, and check the features for NaN and infinity",
    )

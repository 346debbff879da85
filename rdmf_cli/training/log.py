"""Logs of a training run: JSON Lines, and the same numbers for TensorBoard and W&B."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rdmf_cli.errors import RdmfError
from rdmf_cli.files import ELSEWHERE, write_own
from rdmf_cli.training.events import Callback, Callbacks, Epoch, Plan, Step
from rdmf_cli.training.processes import is_main_process


class LogFile(Callback):
    """Write one JSON line per event: "begun", "step" (every `interval` steps) and "epoch".

    Each line is flushed. Lines of epochs after `done` are removed first: these epochs are trained
    again.
    """

    def __init__(self, path: Path, done: int, interval: int):
        self._interval = interval
        self._path = path
        _keep_epochs(path, done)
        with _errors_of(path, "the log"):
            self._file = path.open("a", encoding="utf-8")

    def begun(self, plan: Plan) -> None:
        """Write the plan, in the first run only."""
        if not plan.done:
            content = {k: v for k, v in asdict(plan).items() if k not in ("done", "best")}
            self._write("begun", {"epoch": 0, **content})

    def stepped(self, step: Step) -> None:
        """Write every `interval`-th training step."""
        if step.step % self._interval == 0:
            self._write("step", asdict(step))

    def scored(self, epoch: Epoch) -> None:
        """Write an epoch."""
        self._write("epoch", {**asdict(epoch), "best": epoch.best.epoch == epoch.epoch})

    def ended(self) -> None:
        """Close the file."""
        with _errors_of(self._path, "the log"):
            self._file.close()

    def _write(self, kind: str, content: dict[str, Any]) -> None:
        with _errors_of(self._path, "the log"):
            print(json.dumps({"kind": kind, **content}), file=self._file, flush=True)


@contextmanager
def _errors_of(path: Path, what: str) -> Iterator[None]:
    """Turn an OSError, for example of a full disk, into an RdmfError that names `what`."""
    try:
        yield
    except OSError as error:
        raise RdmfError(f"{what} cannot be written ({error.strerror})", path, ELSEWHERE) from error


def _keep_epochs(path: Path, last: int) -> None:
    """Remove the lines after an epoch, and a last line that a dying process left incomplete."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    kept = [line for line in lines if _epoch_of(line) <= last] if last else []
    write_own(path, "".join(kept).encode(), what="the log")


def _epoch_of(line: str) -> float:
    try:
        return float(json.loads(line)["epoch"])
    except (ValueError, KeyError, TypeError):
        return float("inf")


class TensorBoard(Callback):
    """Write the scalars loss/NAME, held_out/NAME, rate and gradient_norm over the training steps.

    Args:
        folder: the folder for TensorBoard's files.
        step: training steps done; values that an earlier run wrote for later steps are dropped.
        interval: number of training steps from one value to the next.

    Raises:
        ImportError: tensorboard is not installed.
    """

    def __init__(self, folder: Path, step: int, interval: int):

        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self._interval = interval
        with self._errors():
            self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def stepped(self, step: Step) -> None:
        """Write every `interval`-th training step."""
        if step.step % self._interval == 0:
            curves = {f"loss/{name}": value for name, value in step.losses.items()}
            self._add(step.step, {**curves, "rate": step.rate, "gradient_norm": step.gradient_norm})

    def scored(self, epoch: Epoch) -> None:
        """Write an epoch."""
        self._add(epoch.step, {f"held_out/{name}": x for name, x in epoch.scores.items()})
        with self._errors():
            self._writer.flush()

    def ended(self) -> None:
        """Close the files."""
        with self._errors():
            self._writer.close()

    def _add(self, step: int, curves: dict[str, float]) -> None:
        with self._errors():
            for name, value in curves.items():
                self._writer.add_scalar(name, value, step)

    def _errors(self) -> AbstractContextManager[None]:
        return _errors_of(self._folder, "TensorBoard's curves")


@contextmanager
def with_wandb(
    callback: Callback | None, project: str | None, folder: Path
) -> Iterator[Callback | None]:
    """Add a callback that sends the curves to Weights & Biases, if a project is named.

    Args:
        callback: the callback of the caller; None: no callback.
        project: the project; None: nothing is sent.
        folder: the run folder; it gives the run its name and holds the local files.

    Raises:
        RdmfError: wandb is not installed.
    """
    if project is None or not is_main_process():
        yield callback
        return
    curves = WeightsAndBiases(project, folder)
    try:
        yield Callbacks([*([callback] if callback else []), curves])
    finally:
        curves.close()


class WeightsAndBiases(Callback):
    """Send the scalars loss/NAME, held_out/NAME, rate and gradient_norm to Weights & Biases.

    A resumed run continues the same curve. A setting of wandb decides where the scalars go
    (WANDB_MODE=offline keeps them on this machine).

    Args:
        project: name of the project.
        folder: the run folder; it gives the run its name.
    """

    def __init__(self, project: str, folder: Path):
        try:
            import wandb
        except ImportError as error:
            what = "--wandb needs the package wandb, which is not installed"
            raise RdmfError(what, todo="pip install wandb") from error
        self._wandb, self._project, self._folder = wandb, project, folder
        self._run: Any = None
        self._interval = 1

    def begun(self, plan: Plan) -> None:
        """Start the run, or resume it."""
        digits = hashlib.sha256(str(self._folder.absolute()).encode()).hexdigest()[:16]
        self._run = self._wandb.init(
            project=self._project,
            name=self._folder.name,
            id=digits,
            resume="allow",
            dir=str(self._folder),
            config=plan.settings,
        )
        self._interval = int(plan.settings.get("log_interval", 1))

    def stepped(self, step: Step) -> None:
        """Send every `log_interval`-th training step."""
        if step.step % self._interval == 0:
            curves = {f"loss/{name}": value for name, value in step.losses.items()}
            more = {"rate": step.rate, "gradient_norm": step.gradient_norm}
            self._run.log({**curves, **more}, step=step.step)

    def scored(self, epoch: Epoch) -> None:
        """Send an epoch."""
        self._run.log({f"held_out/{k}": v for k, v in epoch.scores.items()}, step=epoch.step)

    def close(self) -> None:
        """End the run."""
        if self._run is not None:
            self._run.finish()

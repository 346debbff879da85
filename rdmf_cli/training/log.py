"""Logs of a training run: JSON Lines, and the same numbers for TensorBoard and W&B."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rdmf_cli.errors import MissingExtra, RdmfError
from rdmf_cli.files import unwritable, write_own
from rdmf_cli.training.events import Callback, Callbacks, Epoch, Plan, Step
from rdmf_cli.training.processes import is_main_process

WANDB_ID = "wandb-run-id"  # the file in the run folder that names the run at Weights & Biases
WANDB_TODO = "run `wandb login`, or set WANDB_MODE=offline and send the run later by `wandb sync`"


class LogFile(Callback):
    """Write one JSON line per event: "begun", "step" (every `interval` steps) and "epoch".

    Each line is flushed at once. Lines of epochs after `done` are removed first: these epochs are
    trained again.
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
        raise unwritable(path, error, what) from error


def _keep_epochs(path: Path, last: int) -> None:
    """Remove the lines after an epoch, and an incomplete last line of a process that was killed."""
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
            self._add(step.step, _curves(step))

    def scored(self, epoch: Epoch) -> None:
        """Write an epoch."""
        self._add(epoch.step, _held_out(epoch))
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
        MissingExtra: wandb is not installed.
        RdmfError: wandb cannot start the run or send its values.
    """
    if project is None or not is_main_process():
        yield callback
        return
    curves = WeightsAndBiases(project, folder)
    try:
        yield Callbacks([*([callback] if callback else []), curves])
    except BaseException:
        curves.close(failed=True)
        raise
    curves.close()


class WeightsAndBiases(Callback):
    """Send the scalars loss/NAME, held_out/NAME, rate and gradient_norm to Weights & Biases.

    A resumed run continues its curves; a restarted run begins new curves. The settings of wandb
    decide where the scalars go (WANDB_MODE=offline keeps them on this machine).

    Args:
        project: name of the project.
        folder: the run folder; it gives the run its name.

    Raises:
        MissingExtra: wandb is not installed.
    """

    def __init__(self, project: str, folder: Path):
        try:
            import wandb
        except ImportError as error:
            raise MissingExtra("--wandb", "wandb") from error
        self._wandb, self._project, self._folder = wandb, project, folder
        self._run: Any = None
        self._interval = 1

    def begun(self, plan: Plan) -> None:
        """Start the run, or resume it."""
        with self._errors():
            self._run = self._wandb.init(
                project=self._project,
                name="/".join(self._folder.absolute().parts[-2:]),
                id=self._id(resumed=plan.done > 0),
                resume="allow",
                dir=str(self._folder),
                config=plan.settings,
                settings=self._wandb.Settings(console="off"),  # the terminal is not sent
            )
        self._interval = int(plan.settings.get("log_interval", 1))

    def _id(self, *, resumed: bool) -> str:
        """Return the run's name at Weights & Biases, from the run folder if the run resumes.

        wandb drops values of steps that it already has. A resumed run repeats such steps with the
        same values; a restarted run has other values, so it needs a new name.
        """
        path = self._folder / WANDB_ID
        if resumed and path.is_file():
            return path.read_text(encoding="utf-8").strip()
        made = secrets.token_hex(8)
        write_own(path, f"{made}\n".encode())
        return made

    def stepped(self, step: Step) -> None:
        """Send every `log_interval`-th training step."""
        if step.step % self._interval == 0:
            self._send(_curves(step), step.step)

    def scored(self, epoch: Epoch) -> None:
        """Send an epoch."""
        self._send(_held_out(epoch), epoch.step)

    def _send(self, curves: dict[str, float], step: int) -> None:
        with self._errors():
            self._run.log(curves, step=step)

    def close(self, *, failed: bool = False) -> None:
        """End the run; `failed` marks it as failed."""
        if self._run is not None:
            with self._errors():
                self._run.finish(exit_code=int(failed))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._wandb.errors.Error as error:
            what = f"Weights & Biases: {str(error).strip().splitlines()[0].rstrip('.')}"
            raise RdmfError(what, todo=WANDB_TODO) from error


def _curves(step: Step) -> dict[str, float]:
    """Return the scalars of a training step by the names of their curves."""
    losses = {f"loss/{name}": value for name, value in step.losses.items()}
    return {**losses, "rate": step.rate, "gradient_norm": step.gradient_norm}


def _held_out(epoch: Epoch) -> dict[str, float]:
    """Return the held-out scores of an epoch by the names of their curves."""
    return {f"held_out/{name}": value for name, value in epoch.scores.items()}

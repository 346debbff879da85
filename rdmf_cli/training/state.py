"""The checkpoint that a run resumes from: written completely or not at all, checked when read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.files import MIB, content_of, is_part, write_own
from rdmf_cli.training.events import Best, Numbers

STATE: Final = "last.pt"
BEST: Final = "best.pt"
LOG: Final = "log.jsonl"
TENSORBOARD: Final = "tensorboard"
LOCK: Final = ".lock"
MARK: Final = ".rdmf-training"  # marks a folder as a run folder of rdmf
ASIDE: Final = "before-restart"  # holds the old run after --restart, until the new run is complete
MOST_STATE: Final = 512 * MIB  # bytes, also unpacked; it holds the weights up to five times
NAMED = 3  # an error names at most this number of files of a foreign folder

STATE_SCHEMA: Final = "rdmf.training/1"
BEST_SCHEMA: Final = "rdmf.trained/1"
RESTART = "start again with --restart, or choose another --out"

Weights = dict[str, Tensor]


@dataclass
class State:
    """Hold all that a run needs to resume after `epoch` epochs; tensors are on the CPU.

    Random numbers need no state, because they depend only on the seed and the epoch (`seeds`).

    Attributes:
        settings: the options, and all further settings that must stay the same, as plain values.
        precision: "float32" or "bfloat16".
        model: the weights.
        average: the averaged weights, which are scored; without averaging, the weights of `model`.
        optimizer: the state of the optimizer.
        epoch: epochs done.
        step: training steps done.
        seconds: training time so far.
        best_epoch: the best epoch, from 1; 0: none yet.
        best_scores: held-out scores of the best epoch.
        best_model: weights of the best epoch.
    """

    settings: dict[str, Any]
    precision: str
    model: Weights
    average: Weights
    optimizer: dict[str, Any]
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    best_scores: Numbers = field(default_factory=dict)
    best_model: Weights = field(default_factory=dict)

    @property
    def best(self) -> Best | None:
        """The best epoch and its scores; None before the first epoch."""
        return Best(self.best_epoch, self.best_scores) if self.best_epoch else None


def save_state(folder: Path, state: State) -> None:
    """Write the state; then write the best weights, a part of the state, as a separate file."""
    content = {f.name: getattr(state, f.name) for f in fields(state)}
    _write(folder / STATE, {"schema": STATE_SCHEMA, **content})
    save_best(folder, state)


def save_best(folder: Path, state: State) -> None:
    """Write the best weights so far as a separate file: {"epoch", "scores", "model"}."""
    if state.best_epoch:
        about = {"schema": BEST_SCHEMA, "epoch": state.best_epoch, "scores": state.best_scores}
        _write(folder / BEST, {**about, "model": state.best_model})


def load_state(folder: Path, settings: Mapping[str, Any]) -> State | None:
    """Load the state of a folder.

    Args:
        folder: the run folder.
        settings: the settings of this run.

    Returns:
        The state; None if there is no state.

    Raises:
        RdmfError: the file is damaged.
        UsageError: the state was made with other settings.
    """
    path = folder / STATE
    if not path.exists():
        return None
    content = _read(path)
    if content.pop("schema", None) != STATE_SCHEMA:
        raise RdmfError("this version does not know this checkpoint format", path, RESTART)
    _check_same(path, content["settings"], settings)
    return State(**content)


def discard(folder: Path) -> None:
    """Remove the files of an earlier run, and nothing else."""
    for path in _written(folder):
        path.unlink(missing_ok=True)


def _written(folder: Path) -> list[Path]:
    """Return the files of a run, with the state last."""
    events = (folder / TENSORBOARD).glob("events.out.tfevents.*")
    return [folder / BEST, folder / LOG, *events, folder / STATE]


def set_aside(folder: Path) -> None:
    """Move the files of an earlier run to an inner folder, until `forget` removes them.

    If the inner folder contains files already, they belong to the last complete run; then the run
    in `folder` was restarted before it ended, and is discarded. The state is moved last, so that
    the next call can complete an interrupted move.
    """
    aside = folder / ASIDE
    if (aside / STATE).exists() or not (folder / STATE).exists():
        discard(folder)
        return
    (aside / TENSORBOARD).mkdir(parents=True, exist_ok=True)
    for path in _written(folder):
        if path.exists():
            os.replace(path, aside / path.relative_to(folder))


def forget(folder: Path) -> None:
    """Remove the run that was set aside, after a new run is complete."""
    aside = folder / ASIDE
    if not aside.is_dir():
        return
    discard(aside)
    for emptied in (aside / TENSORBOARD, aside):
        with suppress(OSError):  # the folder also holds files of the user
            emptied.rmdir()


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Create a run folder if needed, and lock it against a second run.

    Raises:
        UsageError: the folder holds files but no run of rdmf, or cannot be written.
        RdmfError: another run is writing there.
    """
    check_own(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        what = "another training run is writing here"
        raise RdmfError(what, folder, "wait for it, or choose another --out") from None
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        if not (folder / MARK).exists():
            write_own(folder / MARK, f"{STATE_SCHEMA}\n".encode())
        yield
    finally:
        lock.release()


def check_own(folder: Path) -> None:
    """Check that a folder does not belong to the user, because a run would replace its files.

    Raises:
        UsageError: the folder holds files but no run of rdmf.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if not is_part(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(folder, error) from error
    foreign = [name for name in names if name != LOCK]
    if foreign and MARK not in names and not _holds_state(folder):
        named = ", ".join(foreign[:NAMED]) + (", …" if len(foreign) > NAMED else "")
        what = f"this folder holds other files ({named}) and no training run of rdmf"
        raise UsageError(what, folder, "choose an empty or a new folder for --out")


def _holds_state(folder: Path) -> bool:
    """Return whether the folder holds a run of an older version, which did not mark run folders."""
    try:
        return _read(folder / STATE).get("schema") == STATE_SCHEMA
    except RdmfError:
        return False


def _unwritable(folder: Path, error: OSError) -> UsageError:
    what = f"cannot be written ({error.strerror or error})"
    return UsageError(what, folder, "choose another --out")


def _write(path: Path, content: dict[str, Any]) -> None:
    buffer = BytesIO()  # if torch writes to a file, it has its own error for a full disk
    torch.save(content, buffer)
    write_own(path, lambda file: file.write(buffer.getbuffer()), what="the checkpoint")


def _read(path: Path) -> dict[str, Any]:
    content = content_of(path, "the checkpoint", RESTART, MOST_STATE)
    try:
        with ZipFile(BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_STATE:
                raise ValueError(f"its unpacked size is above {MOST_STATE / MIB:g} MiB")
            if damaged := archive.testzip():
                raise ValueError(f"checksum mismatch in {damaged}")
        loaded = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        return dict(loaded)
    except Exception as error:  # each kind of damage raises its own type
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise RdmfError(
            f"this checkpoint is damaged ({reason[0].rstrip('.')})", path, RESTART
        ) from error


def _check_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if names:
        listed = ", ".join(f"{name} {before.get(name)} (now {now.get(name)})" for name in names)
        todo = "give the same settings, choose another --out, or start again with --restart"
        raise UsageError(f"this run was started with other settings: {listed}", path, todo)

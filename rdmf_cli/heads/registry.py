"""Which head answers: by name, or by a checkpoint."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from rdmf_cli.errors import MissingExtra, MissingFileError, UsageError
from rdmf_cli.heads.base import Head
from rdmf_cli.heads.learned.archive import CHECKPOINTS, TRAINED
from rdmf_cli.heads.learned.head import SHIPPED, LearnedHead
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.resources import read_manifest


def is_shipped() -> bool:
    """Tell whether this release has a learned head."""
    return SHIPPED in read_manifest()["files"]


def _best() -> Head:
    return LearnedHead.load() if is_shipped() else TrainingFree.load()


NAMED: dict[str, Callable[[], Head]] = {
    "auto": _best,
    "learned": LearnedHead.load,
    "training-free": TrainingFree.load,
}
"""The heads that --head names; "auto" is the learned one where it ships."""

HEADS = tuple(NAMED)


def load_head(name: str = "auto", checkpoint: Path | None = None) -> Head:
    """Load the head that a command line means.

    Args:
        name: one of `HEADS`.
        checkpoint: rates of the training-free head, an exported head, or the folder of a trained
            one; only with the name "auto".

    Raises:
        UsageError: there is no such name, or both are given.
        MissingExtra: a folder meets no torch.
        RdmfError: the checkpoint is none.
    """
    if name not in NAMED:
        raise UsageError("no such head", name, f"take one of: {', '.join(HEADS)}")
    if checkpoint is None:
        return NAMED[name]()
    if name != "auto":
        todo = "a checkpoint says itself which head it is"
        raise UsageError("cannot be given together", "--head and --checkpoint", todo)
    return _of_checkpoint(checkpoint)


def load_training_free(checkpoint: Path | None = None) -> TrainingFree:
    """Load the training-free head, which `rdmf fuse` shows.

    Args:
        checkpoint: its rates; None: those that ship with rdmf.

    Raises:
        UsageError: the checkpoint is of a learned head.
    """
    if checkpoint is not None and _is_learned(checkpoint):
        what = "this is a learned head; fuse shows the training-free one"
        raise UsageError(what, checkpoint, "give a file of rates, or no --checkpoint")
    return TrainingFree.load(checkpoint)


def _is_learned(checkpoint: Path) -> bool:
    return checkpoint.is_dir() or zipfile.is_zipfile(checkpoint)


def _of_checkpoint(path: Path) -> Head:
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise MissingFileError("there is no such file or folder", path, CHECKPOINTS)
    return LearnedHead.load(path) if zipfile.is_zipfile(path) else TrainingFree.load(path)


def _of_folder(folder: Path) -> LearnedHead:
    if find_spec("torch") is None:
        raise MissingExtra("a checkpoint that is a folder", "train")
    from rdmf_cli.heads.learned.torch.checkpoint import load
    from rdmf_cli.heads.learned.torch.export import TorchGraphs

    trained = folder / TRAINED
    return LearnedHead(TorchGraphs(load(trained if trained.is_dir() else folder)))

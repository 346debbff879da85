"""Load a head by its name or from a checkpoint.

To add a head, write a folder beside this file with a class that has `load` and the methods of
`Head` (`base.py`), an entry here, tests, and a line in `docs/usage.md`. Importing this module does
not import numpy.
"""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rdmf_cli.errors import MissingExtra, MissingFileError, UsageError
from rdmf_cli.registry import Entry, Registry
from rdmf_cli.resources import read_manifest

if TYPE_CHECKING:
    from rdmf_cli.features.store import FeatureStore
    from rdmf_cli.heads.base import Head
    from rdmf_cli.heads.learned.head import LearnedHead
    from rdmf_cli.heads.training_free.head import TrainingFree


class Loads(Protocol):
    """A class of heads."""

    def load(self, path: Path | None = None, store: FeatureStore | None = None) -> Head:
        """Load a head; without a path, the head that is part of rdmf."""
        ...


HERE = "rdmf_cli.heads"
AUTO = "auto"

HEADS: Registry[Entry[Loads]] = Registry(
    "head",
    Entry("learned", "a trained network", f"{HERE}.learned.head:LearnedHead"),
    Entry(
        "training-free",
        "reaction-diffusion with a few fitted rates",
        f"{HERE}.training_free.head:TrainingFree",
    ),
)
"""The heads by their names in --head. "auto" is the learned head if this release contains it."""


def is_shipped() -> bool:
    """Check whether this release contains a learned head."""
    from rdmf_cli.heads.learned.head import SHIPPED

    return SHIPPED in read_manifest()["files"]


def load_head(
    name: str = "auto", checkpoint: Path | None = None, store: FeatureStore | None = None
) -> Head:
    """Load a head.

    Args:
        name: "auto", or a name in `HEADS`.
        checkpoint: rates of the training-free head, an exported head, or the folder of a trained
            head; only with the name "auto".
        store: the cache, which keeps an exported head in the form that loads fastest; None: no
            cache.

    Raises:
        UsageError: the name is unknown, or a checkpoint is given with a name other than "auto".
        MissingExtra: the checkpoint is a folder, and torch is not installed.
        RdmfError: the checkpoint is missing or not a head.
    """
    if name != AUTO and name not in HEADS:
        raise HEADS.unknown(name, AUTO)
    if checkpoint is None:
        chosen = ("learned" if is_shipped() else "training-free") if name == AUTO else name
        return HEADS[chosen].load().load(None, store)
    if name != AUTO:
        todo = "leave --head out; the checkpoint decides which head is used"
        raise UsageError("cannot be given together", "--head and --checkpoint", todo)
    return _of_checkpoint(checkpoint, store)


def load_training_free(checkpoint: Path | None = None) -> TrainingFree:
    """Load the training-free head; `rdmf fuse` shows its fusion.

    Args:
        checkpoint: a file with rates; None: the rates that are part of rdmf.

    Raises:
        UsageError: the checkpoint is a learned head.
    """
    if checkpoint is not None and _is_learned(checkpoint):
        what = "is a learned head, but rdmf fuse shows only the training-free head"
        raise UsageError(what, checkpoint, "give a file of rates, or no --checkpoint")
    from rdmf_cli.heads.training_free.head import TrainingFree

    return TrainingFree.load(checkpoint)


def _is_learned(checkpoint: Path) -> bool:
    return checkpoint.is_dir() or zipfile.is_zipfile(checkpoint)


def _of_checkpoint(path: Path, store: FeatureStore | None) -> Head:
    from rdmf_cli.heads.learned.archive import CHECKPOINTS
    from rdmf_cli.heads.learned.head import LearnedHead
    from rdmf_cli.heads.training_free.head import TrainingFree

    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise MissingFileError("there is no such file or folder", path, CHECKPOINTS)
    kind: Loads = LearnedHead if zipfile.is_zipfile(path) else TrainingFree
    return kind.load(path, store)


def _of_folder(folder: Path) -> LearnedHead:
    if find_spec("torch") is None:
        raise MissingExtra("a checkpoint that is a folder", "train")
    from rdmf_cli.heads.learned.torch.checkpoint import find, load
    from rdmf_cli.heads.learned.torch.torch_head import TrainedHead

    return TrainedHead(load(find(folder)))

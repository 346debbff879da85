"""Checkpoints of a trained head: a folder of config.json and weights.safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdmf_cli.errors import MissingFileError, RdmfError
from rdmf_cli.files import MIB, check_target, content_of, write_own, write_whole
from rdmf_cli.heads.learned.archive import TRAINED
from rdmf_cli.heads.learned.config import ModelConfig, read_config
from rdmf_cli.text import counted

if TYPE_CHECKING:
    from rdmf_cli.heads.learned.torch.network import Network

SCHEMA: Final = "rdmf.model/1"
CONFIG, WEIGHTS = "config.json", "weights.safetensors"
MOST_CONFIG: Final = MIB  # bytes
MOST_WEIGHTS: Final = 128 * MIB  # bytes
RETRAIN = "copy the folder again, or train the head again"
LOG: Final = "log.jsonl"  # every run folder of `rdmf train` holds this file from its first epoch on
GIVE_RUN: Final = "give the folder that `rdmf train` wrote: its --out, or the one it printed"
RUNS_NAMED: Final = 3  # an error names at most this many runs


def save(
    folder: Path | str,
    network: Network,
    about: Mapping[str, Any] | None = None,
    *,
    own: bool = False,
) -> Path:
    """Write a checkpoint. If the folder does not exist, it is made.

    Args:
        folder: the folder of the checkpoint.
        network: the network to save.
        about: facts about the network for the user (data set, scores), as JSON values.
        own: True if the folder belongs to rdmf (a training run); then its files are replaced.

    Raises:
        UsageError: files with these names exist, and rdmf did not write them.
        RdmfError: the folder cannot be written.
    """
    from safetensors.torch import save as as_bytes

    folder = Path(folder)
    weights = {name: x.detach().cpu().contiguous() for name, x in network.state_dict().items()}
    config = {
        "schema": SCHEMA,
        "config": network.config.model_dump(mode="json"),
        "about": dict(about or {}),
    }
    what, todo = "the checkpoint", "choose another folder"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RdmfError(f"{what} cannot be written ({error.strerror})", folder, todo) from error
    files = {
        folder / WEIGHTS: as_bytes(weights),
        folder / CONFIG: (json.dumps(config, indent=1) + "\n").encode(),
    }
    for path in files:
        check_target(path, force=own, what=what)
    for path, content in files.items():
        if own:
            write_own(path, content, what=what, todo=todo)
        else:
            write_whole(path, content, what=what, todo=todo)
    return folder


def find(folder: Path | str) -> Path:
    """Find the checkpoint in a run folder, or return the folder if it is a checkpoint itself.

    Raises:
        RdmfError: there is no head; the message tells whether the folder is missing, is a file, is
            a run that has not ended, holds several runs, or is no run at all.
    """
    folder = Path(folder)
    for place in (folder / TRAINED, folder):
        if any((place / name).is_file() for name in (CONFIG, WEIGHTS)):
            return place
    if not folder.exists():
        raise MissingFileError("there is no such folder", folder, GIVE_RUN)
    if not folder.is_dir():
        raise RdmfError("is a file, not the folder of a run", folder, GIVE_RUN)
    if (folder / LOG).is_file():
        todo = "run the same `rdmf train` command again; it resumes the run"
        raise RdmfError("holds a run that has not ended, so it has no head yet", folder, todo)
    inside = sorted(path.parent.parent for path in folder.glob(f"*/{TRAINED}/{CONFIG}"))
    if inside:
        named = ", ".join(str(path) for path in inside[:RUNS_NAMED])
        more = ", …" if len(inside) > RUNS_NAMED else ""
        what = f"holds {counted(len(inside), 'run')}"
        raise RdmfError(what, folder, f"give the folder of one run: {named}{more}")
    what = f"is no run of `rdmf train`: it holds no {TRAINED}/{CONFIG} with a trained head"
    raise RdmfError(what, folder, GIVE_RUN)


def load(folder: Path | str) -> Network:
    """Load a checkpoint.

    Returns:
        The network, in evaluation mode on the CPU.

    Raises:
        RdmfError: files are missing, are damaged, or do not belong together.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    from rdmf_cli.heads.learned.torch.network import Network

    folder = Path(folder)
    config, path = load_config(folder), folder / WEIGHTS
    try:
        weights = from_bytes(_read(path, MOST_WEIGHTS))
    except SafetensorError as error:
        raise RdmfError(f"these weights are damaged ({error})", path, RETRAIN) from error
    try:
        if not _can_be_of(config, {name: tuple(x.shape) for name, x in weights.items()}):
            raise ValueError("shapes differ")
        with torch.device("meta"):  # takes no memory, whatever the configuration says
            form = Network(config).state_dict()
        if {k: x.shape for k, x in form.items()} != {k: x.shape for k, x in weights.items()}:
            raise ValueError("shapes differ")
        network = Network(config)
        network.load_state_dict(weights)
    except (RuntimeError, ValueError) as error:
        what = f"these weights do not fit the model that {CONFIG} describes"
        raise RdmfError(what, path, RETRAIN) from error
    network.eval()
    return network


def _can_be_of(config: ModelConfig, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Check the number of blocks and channels before a network of this size is built."""
    blocks = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
    first = [shape for name, shape in shapes.items() if name.startswith("blocks.0.")]
    evolves = config.fusion == "reaction-diffusion"
    wide = not evolves or any(config.fusion_channels in shape for shape in first)
    return len(blocks) == config.blocks and wide


def load_config(folder: Path | str) -> ModelConfig:
    """Load the configuration of a checkpoint.

    Raises:
        RdmfError: the configuration is missing or damaged.
    """
    path = Path(folder) / CONFIG
    return read_config(
        _read(path, MOST_CONFIG), SCHEMA, path, RETRAIN, "train it again with this version of rdmf"
    )


def load_about(folder: Path | str) -> dict[str, Any]:
    """Load the facts that a checkpoint states about itself: its data set, its scores, its run.

    Raises:
        RdmfError: the facts are missing or damaged.
    """
    load_config(folder)
    told = json.loads(_read(Path(folder) / CONFIG, MOST_CONFIG)).get("about")
    return dict(told) if isinstance(told, dict) else {}


def _read(path: Path, most: int) -> bytes:
    what, todo = "this part of a checkpoint", f"give a folder with {CONFIG} and {WEIGHTS}"
    return content_of(path, what, todo, most)

"""A trained head on disk: a folder of config.json and weights.safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdmf_cli.errors import RdmfError
from rdmf_cli.files import MIB, check_target, content_of, write_whole
from rdmf_cli.heads.learned.config import ModelConfig, read_config

if TYPE_CHECKING:
    from rdmf_cli.heads.learned.torch.network import Network

SCHEMA: Final = "rdmf.model/1"
CONFIG, WEIGHTS = "config.json", "weights.safetensors"
MOST_CONFIG: Final = MIB  # bytes
MOST_WEIGHTS: Final = 128 * MIB  # bytes
ANEW = "train it again, or copy the folder again"


def save(
    folder: Path | str,
    network: Network,
    about: Mapping[str, Any] | None = None,
    *,
    own: bool = False,
) -> Path:
    """Write the folder, making it where it is not there.

    about: what a reader should know of it (data set, scores), as JSON can hold it
    own:   the folder is rdmf's (that of a training): what lies there is replaced without asking

    Raises UsageError for files that rdmf did not write, RdmfError where nothing can be written.
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
        write_whole(path, content, own=own, what=what, todo=todo)
    return folder


def load(folder: Path | str) -> Network:
    """The network, in evaluation mode on the CPU.

    Raises RdmfError for files that are missing, damaged, or do not belong together.
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
        raise RdmfError(f"these weights are damaged ({error})", path, ANEW) from error
    try:
        if not _can_be_of(config, {name: tuple(x.shape) for name, x in weights.items()}):
            raise ValueError("of other shapes")
        with torch.device("meta"):  # takes no memory, whatever the configuration says
            form = Network(config).state_dict()
        if {k: x.shape for k, x in form.items()} != {k: x.shape for k, x in weights.items()}:
            raise ValueError("of other shapes")
        network = Network(config)
        network.load_state_dict(weights)
    except (RuntimeError, ValueError) as error:
        what = f"these are the weights of another model than {CONFIG} describes"
        raise RdmfError(what, path, ANEW) from error
    return network.eval()


def _can_be_of(config: ModelConfig, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether there are so many blocks and channels: making them takes time, on any device."""
    blocks = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
    first = [shape for name, shape in shapes.items() if name.startswith("blocks.0.")]
    evolves = config.fusion == "reaction-diffusion"
    wide = not evolves or any(config.fusion_channels in shape for shape in first)
    return len(blocks) == config.blocks and wide


def load_config(folder: Path | str) -> ModelConfig:
    """The form of the head in a folder. Raises RdmfError as `load` does."""
    path = Path(folder) / CONFIG
    return read_config(
        _read(path, MOST_CONFIG), SCHEMA, path, ANEW, "train it again with this version of rdmf"
    )


def _read(path: Path, most: int) -> bytes:
    what, todo = "this part of a checkpoint", f"give a folder with {CONFIG} and {WEIGHTS}"
    return content_of(path, what, todo, most)

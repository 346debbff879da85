"""The parts of an open_clip model (configuration, weights), found without importing torch."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdmf_cli.encoders.index import file_sha256
from rdmf_cli.encoders.open_clip.catalog import HUB_PREFIX, Catalog, Pretrained
from rdmf_cli.encoders.open_clip.local_files import (
    HUB_CONFIG,
    find_repository,
    find_tagged,
    weights_in,
)
from rdmf_cli.errors import RdmfError, UsageError

_PREPROCESSING = ("mean", "std", "interpolation", "resize_mode", "fill_color", "size")


@dataclass(frozen=True)
class Blueprint:
    """A model of open_clip, with the files that it is built from.

    Attributes:
        name: The name for `--encoder`.
        architecture: The architecture's name in messages.
        config: open_clip's `model_cfg`.
        preprocessing: open_clip's `preprocess_cfg`.
        weights: The checkpoint file.
        folder: Folder of the tokenizer's files, for a model with its own tokenizer.
        published: The sha256 of the files that open_clip itself publishes; only these files may
            contain code.
    """

    name: str
    architecture: str
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    weights: Path
    folder: Path | None = None
    published: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """The width D of the features."""
        return int(self.config["embed_dim"])

    def fingerprint(self) -> str:
        """Return a hash of the weights, the architecture and the preprocessing."""
        parts = [file_sha256(self.weights), self.config, self.preprocessing]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def from_tag(weights: Pretrained, catalog: Catalog) -> Blueprint:
    """Return the model for weights that open_clip knows by name.

    Raises:
        RdmfError: The weights are not on this machine.
    """
    path = find_tagged(weights)
    if path is None:
        raise not_here(weights.name)
    return _known_weights(weights.name, weights, path, catalog)


def from_repository(repository: str) -> Blueprint:
    """Return a model of the Hugging Face Hub, such as "ORG/NAME".

    Raises:
        UsageError: The text cannot be the name of a repository.
        RdmfError: The files of the model are not on this machine.
    """
    check_repository(repository)
    folder = find_repository(repository)
    if folder is None:
        raise not_here(HUB_PREFIX + repository)
    return from_folder(HUB_PREFIX + repository, folder)


def check_repository(repository: str) -> None:
    """Check that a text can name a repository of the Hugging Face Hub.

    A folder gets this name, so the name must not lead to another folder.

    Raises:
        UsageError: The text cannot be such a name.
    """
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository, re.ASCII) or len(repository) > 200:
        name = HUB_PREFIX + repository
        raise UsageError("is not the name of a hub repository", name, f"write {HUB_PREFIX}ORG/NAME")


def not_here(name: str) -> RdmfError:
    """Return the error for weights that are not on this machine."""
    return RdmfError(
        "its weights are not on this machine", name, f"fetch them with: rdmf weights fetch {name}"
    )


def from_folder(name: str, folder: Path) -> Blueprint:
    """Return the model in a folder saved by open_clip: open_clip_config.json and one weights file.

    Raises:
        UsageError: The folder contains no configuration, or no single weights file.
        RdmfError: The configuration cannot be read.
    """
    if not (folder / HUB_CONFIG).is_file():
        raise UsageError(
            f"holds no {HUB_CONFIG}",
            folder,
            "name an encoder, or a weights file with its architecture: ViT-B-32/FILE",
        )
    weights = weights_in(folder)
    if len(weights) != 1:
        names = ", ".join(path.name for path in weights) or "none"
        raise UsageError(
            f"must hold exactly one weights file (found: {names})",
            folder,
            f"name the file: {folder}/FILE",
        )
    return _configured(name, weights[0])


def from_file(name: str, path: Path, catalog: Catalog) -> Blueprint:
    """Return the model of a checkpoint, by the configuration beside it or by its hash.

    Raises:
        UsageError: The architecture of the checkpoint is unknown.
        RdmfError: The configuration cannot be read.
    """
    if (path.parent / HUB_CONFIG).is_file():
        return _configured(name, path)
    known = catalog.with_hash(file_sha256(path))
    if not known:
        raise UsageError(
            "the architecture of these weights is unknown", path, f"write ARCHITECTURE/{path}"
        )
    return _known_weights(name, known[0], path, catalog)


def from_architecture(name: str, architecture: str, path: Path, catalog: Catalog) -> Blueprint:
    """Return the model of a checkpoint; the user named the architecture.

    If open_clip has a name for these weights, or if a configuration is beside the file, the known
    architecture must be the same. The activation and the preprocessing are then those of the known
    model.

    Raises:
        UsageError: The weights belong to another architecture.
        RdmfError: The configuration cannot be read.
    """
    known = catalog.with_hash(file_sha256(path))
    if known:
        return _known_weights(name, _of_architecture(known, architecture, path), path, catalog)
    blueprint = Blueprint(name, architecture, catalog.config(architecture), {}, path)
    if not (path.parent / HUB_CONFIG).is_file():
        return blueprint
    beside = _configured(name, path)
    if not _same_model(beside.config, blueprint.config):
        raise _misfit(path, f"the model in {HUB_CONFIG} beside it", architecture)
    return beside


def _of_architecture(known: list[Pretrained], architecture: str, path: Path) -> Pretrained:
    for weights in known:
        if weights.architecture.removesuffix("-quickgelu") == architecture.removesuffix(
            "-quickgelu"
        ):
            return weights
    raise _misfit(path, known[0].name, architecture)


def _misfit(path: Path, of: str, architecture: str) -> UsageError:
    return UsageError(
        f"these are the weights of {of}, not of {architecture}",
        path,
        "leave out the architecture, or name the right one",
    )


def _same_model(config: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two configurations agree in the activation and in all common keys."""
    if bool(config.get("quick_gelu")) != bool(other.get("quick_gelu")):
        return False
    towers = [(config, other)] + [(config[key], other[key]) for key in ("vision_cfg", "text_cfg")]
    return all(
        one[key] == two[key]
        for one, two in towers
        for key in one.keys() & two.keys()
        if not isinstance(one[key], dict)
    )


def _known_weights(name: str, weights: Pretrained, path: Path, catalog: Catalog) -> Blueprint:
    folder = path.parent if (path.parent / HUB_CONFIG).is_file() else None
    return Blueprint(name, weights.architecture, *described(weights, catalog), path, folder)


def described(weights: Pretrained, catalog: Catalog) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configuration and the preprocessing of weights that open_clip knows by name.

    The activation is the one that the weights were trained with, not the architecture's default.
    OpenAI's weights need QuickGELU; they also load with another activation, but then the features
    are worse.
    """
    config = catalog.config(weights.architecture)
    config["quick_gelu"] = bool(config.get("quick_gelu") or weights.settings.get("quick_gelu"))
    return config, _preprocessing(weights.settings)


def _configured(name: str, path: Path) -> Blueprint:
    """Return the model that open_clip_config.json beside the weights describes."""
    content = read_config(path.parent)
    preprocessing = _preprocessing(content.get("preprocess_cfg") or {})
    return Blueprint(name, str(path.parent), content["model_cfg"], preprocessing, path, path.parent)


def read_config(folder: Path) -> dict[str, Any]:
    """Read open_clip_config.json of a folder, and check the keys that every model has.

    Raises:
        RdmfError: The file cannot be read, or a key is missing.
    """
    file = folder / HUB_CONFIG
    try:
        content: dict[str, Any] = json.loads(file.read_text("utf-8"))
        config = content["model_cfg"]
        int(config["embed_dim"]), {**config["vision_cfg"]}, {**config["text_cfg"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RdmfError(
            f"is not a configuration of open_clip ({error!r})", file, "fetch or copy it again"
        ) from error
    return content


def _preprocessing(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: settings[key] for key in _PREPROCESSING if key in settings}

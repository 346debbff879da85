"""What an open_clip encoder is made of, settled before torch is imported."""

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
    """A model of open_clip, with the files to build it from.

    name:          what the user types after --encoder
    architecture:  what messages call the architecture
    config:        open_clip's `model_cfg`
    preprocessing: open_clip's `preprocess_cfg`
    weights:       the checkpoint
    folder:        where the tokenizer's own files lie, for models that bring one
    published:     the sha256 of files that open_clip itself publishes: those may hold code
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
        """D, the width of image rows and text rows."""
        return int(self.config["embed_dim"])

    def fingerprint(self) -> str:
        """sha256 over the weights, the architecture and the preprocessing."""
        parts = [file_sha256(self.weights), self.config, self.preprocessing]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def from_tag(weights: Pretrained, catalog: Catalog) -> Blueprint:
    """open_clip's named weights, which must be on this machine already."""
    path = find_tagged(weights)
    if path is None:
        raise not_here(weights.name)
    return _known_weights(weights.name, weights, path, catalog)


def from_repository(repository: str) -> Blueprint:
    """A model of the hub, which must be on this machine already."""
    check_repository(repository)
    folder = find_repository(repository)
    if folder is None:
        raise not_here(HUB_PREFIX + repository)
    return from_folder(HUB_PREFIX + repository, folder)


def check_repository(repository: str) -> None:
    """Raises UsageError for what cannot be a hub repository's name: it becomes a folder's."""
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository, re.ASCII) or len(repository) > 200:
        name = HUB_PREFIX + repository
        raise UsageError("not the name of a hub repository", name, f"write {HUB_PREFIX}ORG/NAME")


def not_here(name: str) -> RdmfError:
    """The error for weights that have to be fetched first."""
    return RdmfError(
        "its weights are not on this machine", name, f"fetch them with: rdmf weights fetch {name}"
    )


def from_folder(name: str, folder: Path) -> Blueprint:
    """A folder as open_clip saves it: open_clip_config.json and one file of weights."""
    if not (folder / HUB_CONFIG).is_file():
        raise UsageError(
            f"no {HUB_CONFIG} in this folder",
            folder,
            "name an encoder, or a file: ARCHITECTURE/FILE",
        )
    weights = weights_in(folder)
    if len(weights) != 1:
        names = ", ".join(path.name for path in weights) or "none"
        raise UsageError(
            f"one file of weights is needed here, found {names}",
            folder,
            f"name the file: {folder}/FILE",
        )
    return _configured(name, weights[0])


def from_file(name: str, path: Path, catalog: Catalog) -> Blueprint:
    """A checkpoint without an architecture's name: the file beside it or its hash tells."""
    if (path.parent / HUB_CONFIG).is_file():
        return _configured(name, path)
    known = catalog.with_hash(file_sha256(path))
    if not known:
        raise UsageError(
            "which architecture are these weights of?", path, f"name it: ARCHITECTURE/{path}"
        )
    return _known_weights(name, known[0], path, catalog)


def from_architecture(name: str, architecture: str, path: Path, catalog: Catalog) -> Blueprint:
    """A checkpoint of a named architecture.

    Where the bytes are known to open_clip under a name, or a configuration lies beside the
    file, it has to agree; known weights bring their own activation and preprocessing.
    """
    known = catalog.with_hash(file_sha256(path))
    if known:
        return _known_weights(name, _of_architecture(known, architecture, path), path, catalog)
    blueprint = Blueprint(name, architecture, catalog.config(architecture), {}, path)
    if not (path.parent / HUB_CONFIG).is_file():
        return blueprint
    beside = _configured(name, path)
    if not _same_model(beside.config, blueprint.config):
        raise _misfit(path, f"the model that {HUB_CONFIG} beside it describes", architecture)
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
        "leave the architecture out, or name the right one",
    )


def _same_model(config: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two configurations agree in the activation and in all that both of them state."""
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
    """The configuration and the preprocessing that go with open_clip's named weights.

    The activation is the one they were trained with, whatever the architecture's default:
    OpenAI's need QuickGELU, and without it load and answer worse.
    """
    config = catalog.config(weights.architecture)
    config["quick_gelu"] = bool(config.get("quick_gelu") or weights.settings.get("quick_gelu"))
    return config, _preprocessing(weights.settings)


def _configured(name: str, path: Path) -> Blueprint:
    """The model that open_clip_config.json beside the weights describes."""
    content = read_config(path.parent)
    preprocessing = _preprocessing(content.get("preprocess_cfg") or {})
    return Blueprint(name, str(path.parent), content["model_cfg"], preprocessing, path, path.parent)


def read_config(folder: Path) -> dict[str, Any]:
    """open_clip_config.json of a folder, with what every model has checked to be there."""
    file = folder / HUB_CONFIG
    try:
        content = json.loads(file.read_text("utf-8"))
        config = content["model_cfg"]
        int(config["embed_dim"]), {**config["vision_cfg"]}, {**config["text_cfg"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RdmfError(
            f"not a configuration of open_clip ({error!r})", file, "fetch or copy it again"
        ) from error
    return content


def _preprocessing(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: settings[key] for key in _PREPROCESSING if key in settings}

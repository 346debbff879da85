"""The search for a model by its name; each form of name has its own function."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from rdmf_cli.encoders.open_clip import blueprint
from rdmf_cli.encoders.open_clip.blueprint import Blueprint
from rdmf_cli.encoders.open_clip.catalog import HUB_PREFIX, Catalog, Pretrained, load_catalog
from rdmf_cli.encoders.open_clip.local_files import WEIGHTS_SUFFIXES
from rdmf_cli.errors import UsageError


def find_blueprint(name: str, catalog: Catalog | None = None) -> Blueprint:
    """Find the parts of a model by its name.

    Args:
        name: "ViT-B-32/openai", "hf-hub:ORG/NAME", "ARCHITECTURE/path/to/checkpoint", or the path
            of a folder with open_clip_config.json and weights, or of a file in such a folder.
        catalog: The known architectures and weights; None: the catalog of the installed open_clip.

    Raises:
        UsageError: There is no such model; the error lists similar names.
        MissingExtra: open_clip is not installed.
        RdmfError: The weights are not on this machine.
    """
    catalog = load_catalog() if catalog is None else catalog
    if "\0" in name:  # not allowed in the name of a file
        raise catalog.unknown(name)
    found = (find(name, catalog) for find in (_on_hub, _named, _local, _local_of_architecture))
    for plan in found:
        if plan is not None:
            return replace(plan, published=catalog.whole_hashes())
    raise _not_found(name, catalog)


def named_weights(name: str, catalog: Catalog) -> Pretrained | None:
    """Find weights by open_clip's name, ARCHITECTURE/TAG; return None for any other name."""
    split = catalog.split(name)
    return catalog.tagged(*split) if split else None


def _not_found(name: str, catalog: Catalog) -> UsageError:
    architecture, rest = catalog.split(name) or ("", "")
    if not architecture:
        return catalog.unknown(name)
    if "/" in rest or Path(rest).suffix in WEIGHTS_SUFFIXES:
        todo = f"name a weights file of {architecture}"
        return UsageError("no such weights file", rest, todo)
    return catalog.unknown_tag(architecture, rest)


def _on_hub(name: str, catalog: Catalog) -> Blueprint | None:
    if not name.startswith(HUB_PREFIX):
        return None
    return blueprint.from_repository(name.removeprefix(HUB_PREFIX))


def _named(name: str, catalog: Catalog) -> Blueprint | None:
    weights = named_weights(name, catalog)
    return None if weights is None else blueprint.from_tag(weights, catalog)


def _local(name: str, catalog: Catalog) -> Blueprint | None:
    path = os.path.expanduser(name)
    if name and os.path.isdir(path):
        return blueprint.from_folder(name, Path(path))
    return blueprint.from_file(name, Path(path), catalog) if os.path.isfile(path) else None


def _local_of_architecture(name: str, catalog: Catalog) -> Blueprint | None:
    architecture, rest = catalog.split(name) or ("", "")
    path = os.path.expanduser(rest)
    if not os.path.isfile(path):
        return None
    return blueprint.from_architecture(name, architecture, Path(path), catalog)

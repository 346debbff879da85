"""The architectures and weights of open_clip, read from its files; open_clip is not imported.

An import of open_clip would import torch; that takes seconds.
"""

from __future__ import annotations

import ast
import copy
import json
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rdmf_cli.encoders.base import unknown_encoder
from rdmf_cli.errors import MissingExtra, UsageError
from rdmf_cli.registry import nearest

HUB_PREFIX = "hf-hub:"


@dataclass(frozen=True)
class Pretrained:
    """Weights that open_clip knows by name.

    Attributes:
        architecture: Name of the architecture: "ViT-B-32".
        tag: Name of the weights: "openai".
        settings: open_clip's own entry: `hf_hub`, `url`, `mean`, `std`, `quick_gelu`, ...
    """

    architecture: str
    tag: str
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """The name for `--encoder`: "ViT-B-32/openai"."""
        return f"{self.architecture}/{self.tag}"

    @property
    def url_hash(self) -> str:
        """The sha256 in the address of the weights, or its first digits; "": no hash.

        OpenAI's addresses end in HASH/FILE; addresses of open_clip's releases end in NAME-HASH.pt
        (open_clip's own downloader uses the same rule).
        """
        folder, _, file = self.settings.get("url", "").rpartition("/")
        candidates = (folder.rpartition("/")[2], Path(file).stem.rpartition("-")[2])
        return next((text for text in candidates if _is_hash(text)), "")


SHA256_DIGITS = 64


def _is_hash(text: str) -> bool:
    return len(text) in (8, SHA256_DIGITS) and all(digit in "0123456789abcdef" for digit in text)


@dataclass(frozen=True)
class Catalog:
    """The architectures and weights of one installation of open_clip.

    Attributes:
        architectures: Model configurations, by name.
        pretrained: Settings of weights, by architecture and tag.
    """

    architectures: dict[str, dict[str, Any]]
    pretrained: dict[str, dict[str, dict[str, Any]]]

    def __iter__(self) -> Iterator[Pretrained]:
        for architecture, tags in self.pretrained.items():
            for tag, settings in tags.items():
                yield Pretrained(architecture, tag, settings)

    def config(self, architecture: str) -> dict[str, Any]:
        """Return a copy of an architecture's configuration."""
        return copy.deepcopy(self.architectures[architecture])

    def split(self, name: str) -> tuple[str, str] | None:
        """Split a name into architecture and the rest (a tag or a path).

        "ViT-B-32/openai" and "ViT-B/32/openai" both give ("ViT-B-32", "openai").

        Returns:
            Architecture and rest; None if no architecture has this name.
        """
        parts = name.split("/")
        for cut in range(len(parts), 0, -1):
            architecture = self._spelling("-".join(parts[:cut]))
            if architecture:
                return architecture, "/".join(parts[cut:])
        return None

    def _spelling(self, name: str) -> str | None:
        same = (known for known in self.architectures if known.lower() == name.lower())
        return name if name in self.architectures else next(same, None)

    def tagged(self, architecture: str, tag: str) -> Pretrained | None:
        """Return the weights of a tag, or None; ignore case and hyphens, as open_clip does."""
        tag = tag.lower().replace("-", "_")
        settings = self.pretrained.get(architecture, {}).get(tag)
        return None if settings is None else Pretrained(architecture, tag, settings)

    def with_hash(self, sha256: str) -> list[Pretrained]:
        """Return all weights with this hash; several architectures may use one file."""
        return [known for known in self if known.url_hash and sha256.startswith(known.url_hash)]

    def whole_hashes(self) -> frozenset[str]:
        """Return the sha256 of every file, if the address of the file contains the whole sha256."""
        return frozenset(known.url_hash for known in self if len(known.url_hash) == SHA256_DIGITS)

    def unknown(self, name: str) -> UsageError:
        """Return the error for an unknown name, with the most similar known names."""
        return unknown_encoder(name, self.names())

    def names(self) -> list[str]:
        """Return the names of all architectures and weights."""
        return [*self.architectures, *(weights.name for weights in self)]

    def unknown_tag(self, architecture: str, tag: str) -> UsageError:
        """Return the error for an unknown tag of an architecture, with the known tags."""
        elsewhere = [w.name for w in self if w.tag == tag.lower().replace("-", "_")]
        tags = [w.name for w in self if w.architecture == architecture]
        near = nearest(f"{architecture}/{tag}", [*tags, *elsewhere]) if tag else []
        offered = near or tags or elsewhere
        missing = f"has no weights named {tag!r}" if tag else "needs the name of weights"
        todo = f"choose one of: {', '.join(offered)}" if offered else ""
        todo = todo or f"open_clip has none for it: add your own file, {architecture}/PATH"
        return UsageError(missing, architecture, todo)


def is_installed() -> bool:
    """Return whether open_clip and torch are installed, without importing them."""
    return all(find_spec(package) is not None for package in ("open_clip", "torch"))


def load_catalog() -> Catalog:
    """Read the tables of the installed open_clip; this takes milliseconds.

    Raises:
        MissingExtra: open_clip is not installed.
    """
    if not is_installed():
        raise MissingExtra("every encoder but `embedded`", "clip")
    return _read_catalog(_package_folder())


@cache
def _read_catalog(folder: Path) -> Catalog:
    return Catalog(_architectures(folder / "model_configs"), _pretrained(folder))


def _package_folder() -> Path:
    spec = find_spec("open_clip")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _architectures(folder: Path) -> dict[str, dict[str, Any]]:
    files = sorted(folder.glob("*.json"))
    return {file.stem: json.loads(file.read_text("utf-8")) for file in files}


def _pretrained(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Read open_clip's table of weights; import the package if its file has another form."""
    try:
        return _table_of_source(folder)
    except Exception:
        from open_clip import get_pretrained_cfg, list_pretrained

        table: dict[str, dict[str, dict[str, Any]]] = {}
        for architecture, tag in list_pretrained():
            table.setdefault(architecture, {})[tag] = get_pretrained_cfg(architecture, tag)
        return table


def _table_of_source(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Run only those statements of pretrained.py that build its table, without its imports."""
    source = ast.parse((folder / "pretrained.py").read_text("utf-8"))
    source.body = [statement for statement in source.body if _builds_table(statement)]
    scope = {**runpy.run_path(str(folder / "constants.py")), "copy": copy}
    # This file is part of the installed open_clip; an import would run the whole file.
    exec(compile(source, "pretrained.py", "exec"), scope)  # noqa: S102
    table: dict[str, dict[str, dict[str, Any]]] = scope["_PRETRAINED"]
    return table


def _builds_table(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef):
        return statement.name.startswith("_") and statement.name.endswith("cfg")
    plain = isinstance(statement, ast.Assign | ast.For)
    return plain or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call))

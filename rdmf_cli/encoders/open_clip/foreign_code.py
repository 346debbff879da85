"""Check that no code of a model folder is run: it may only describe a network and tokenizer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rdmf_cli.encoders.open_clip.blueprint import Blueprint
from rdmf_cli.errors import RdmfError

# Settings of a tokenizer that only change how it splits texts. Other settings may name files or
# code.
TOKENIZER_SETTINGS = {
    "additional_special_tokens",
    "add_prefix_space",
    "clean",
    "do_lower_case",
    "language",
    "model_max_length",
    "padding_side",
    "reduction_mask",
    "strip_sep_token",
    "truncation_side",
    "use_fast",
}
DESCRIPTIONS = ("config.json", "tokenizer_config.json", "tokenizer.json")
CODE_KEY = "auto_map"  # the key that names Python classes in the folder, for transformers
MOST_DESCRIPTION_BYTES = 200_000_000

_NETWORK = re.compile(r"\w[\w.-]*", re.ASCII)
_REPOSITORY = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


def check_runs_no_code(blueprint: Blueprint) -> None:
    """Check that a model needs no code, and no files outside its own folder and the libraries.

    Args:
        blueprint: The model.

    Raises:
        RdmfError: A setting of the tokenizer, the name of a network, or a file in the folder would
            load such code or files.
    """
    where = blueprint.folder or blueprint.weights
    for problem in _problems(blueprint):
        raise RdmfError(problem, where, "use a model that needs no code or files of its own")


def _problems(blueprint: Blueprint) -> Iterator[str]:
    text, vision = blueprint.config["text_cfg"], blueprint.config["vision_cfg"]
    settings = text.get("tokenizer_kwargs") or {}
    if not isinstance(settings, dict) or settings.keys() - TOKENIZER_SETTINGS:
        yield f"its tokenizer has settings that are not allowed ({_listed(settings)})"
    network = vision.get("timm_model_name") or ""
    if network and not _is(network, _NETWORK):
        yield f"its image tower is not the name of a network of timm ({network!r})"
    for key in ("hf_model_name", "hf_tokenizer_name"):
        name = text.get(key) or ""
        if name and not _is(name, _REPOSITORY):
            yield f"its {key} is not the name of a hub repository ({name!r})"
        elif name and Path(name).exists():
            yield f"the folder {name} in the working directory would be read instead of the hub's"
    if blueprint.folder is not None:
        yield from _problems_of_files(blueprint.folder)


def _listed(settings: Any) -> str:
    if not isinstance(settings, dict):
        return "not a JSON object"
    return ", ".join(sorted(map(str, settings.keys() - TOKENIZER_SETTINGS)))


def _is(name: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(name, str) and pattern.fullmatch(name) is not None


def _problems_of_files(folder: Path) -> Iterator[str]:
    for name in DESCRIPTIONS:
        file = folder / name
        if not file.is_file():
            continue
        if file.stat().st_size > MOST_DESCRIPTION_BYTES:
            yield f"its {name} is larger than {MOST_DESCRIPTION_BYTES / 1e6:.0f} MB, the limit"
            continue
        try:
            content = json.loads(file.read_bytes())
        except (ValueError, RecursionError):
            yield f"its {name} is not JSON"
            continue
        if isinstance(content, dict) and CODE_KEY in content:
            yield f"its {name} names Python code to be run ({CODE_KEY})"

"""Check that a model's configuration does not describe a network larger than its weights.

open_clip makes the network before it reads the weights, so a small file could ask for any amount of
memory. A parameter takes at least one byte in the file and at most four bytes in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rdmf_cli.encoders.open_clip.blueprint import Blueprint
from rdmf_cli.errors import RdmfError

MOST_LAYERS = 512
MOST_CONTEXT = 8192  # tokens; a mask of float32 (tokens, tokens) is not part of the weights
MOST_NUMBER = 1 << 20  # of any setting; the largest setting is the size of a vocabulary

TOWERS = ("vision_cfg", "text_cfg", "multimodal_cfg")
ATTENTION, MLP_RATIO = 4, 4.0  # parameters of a layer: (4 + 2 x ratio) x width²
LAYERS = {"layers", "num_hidden_layers", "n_layer", "num_layers"}
CONTEXTS = {"context_length", "max_position_embeddings", "n_positions"}
WIDTHS = ("width", "hidden_size", "n_embd", "d_model")
VOCABULARIES = ("vocab_size",)


def check_size(blueprint: Blueprint) -> None:
    """Check that the network of a model is not larger than its weights.

    Args:
        blueprint: The model.

    Raises:
        RdmfError: The network is larger, or a number of the configuration exceeds all real models.
    """
    where = blueprint.folder or blueprint.weights
    towers = [blueprint.config.get(name) or {} for name in TOWERS]
    towers.append(_text_network(blueprint))
    for problem in (p for tower in towers for p in _too_large(tower)):
        raise RdmfError(
            f"its configuration says {problem}", where, "use a complete copy of the model"
        )
    least = sum(map(_least_parameters, towers))
    held = blueprint.weights.stat().st_size
    if least > held:
        what = f"its configuration describes {least / 1e6:.0f} million parameters or more, "
        what += f"and its weights are {held / 1e6:.1f} MB"
        raise RdmfError(what, where, "use a complete copy of the model")


def _text_network(blueprint: Blueprint) -> dict[str, Any]:
    """Return the description of a text tower of transformers; empty: no such tower."""
    file = blueprint.folder and blueprint.folder / "config.json"
    if file is None or not file.is_file() or "hf_model_name" not in blueprint.config["text_cfg"]:
        return {}
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):  # transformers will report the error
        return {}
    return content if isinstance(content, dict) else {}


def _too_large(tower: Mapping[str, Any]) -> Iterator[str]:
    for name, value in _numbers(tower):
        most = MOST_LAYERS if name in LAYERS else MOST_CONTEXT if name in CONTEXTS else MOST_NUMBER
        if not abs(value) <= most:  # NaN is not
            yield f"{name} {value:g} (limit: {most:,})"


def _numbers(settings: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Return every number of a configuration with its name; for layers by stage, the sum."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _numbers(value)
            continue
        found = [x for x in (value if isinstance(value, list) else [value]) if _is_number(x)]
        if found:
            yield name, sum(found) if name in LAYERS else max(found, key=abs)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _least_parameters(tower: Mapping[str, Any]) -> float:
    """Return the smallest possible number of parameters of a network with this configuration."""
    numbers = dict(_numbers(tower))
    width = next((numbers[name] for name in WIDTHS if name in numbers), 0)
    layers = next((numbers[name] for name in sorted(LAYERS) if name in numbers), 0)
    words = next((numbers[name] for name in VOCABULARIES if name in numbers), 0)
    in_stages = isinstance(tower.get("layers"), list)  # a ResNet: each layer is at least so large
    each = 1.0 if in_stages else ATTENTION + 2 * numbers.get("mlp_ratio", MLP_RATIO)
    places = 0.0 if in_stages else _patches(numbers) + numbers.get("context_length", 0)
    return width * (layers * each * width + words + places)


def _patches(numbers: Mapping[str, float]) -> float:
    """Return the number of patches of a picture; each patch has an embedding of its position."""
    patch = numbers.get("patch_size", 0)
    return (numbers.get("image_size", 0) // patch) ** 2 if patch >= 1 else 0.0

"""The shipped ONNX files, read back into the towers that they were exported from.

So that training can go on from what ships: the image file rounds its numbers to float16, the text
file to 8 bits with a scale, and what comes back is what the files compute with.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from towers import ImageTower, TextShape, TextTower


def image_tower(file: Path) -> ImageTower:
    """The image tower of an `embedded_image.onnx`."""
    tower = ImageTower()
    tower.load_state_dict(weights_of(onnx.load(file)))
    return tower.to(memory_format=torch.channels_last).eval()


def text_tower(file: Path) -> TextTower:
    """The text tower of an `embedded_text.onnx`."""
    named = weights_of(onnx.load(file))
    weights = {name.removeprefix("tower."): values for name, values in named.items()}
    pieces, narrow = weights["pieces.weight"].shape
    layers = {name.split(".")[1] for name in weights if name.startswith("layers.")}
    longest = len(weights["places.weight"])
    tower = TextTower(TextShape(pieces, narrow, len(layers), longest=longest))
    tower.load_state_dict(weights)
    return tower.eval()


def weights_of(model: onnx.ModelProto) -> dict[str, torch.Tensor]:
    """What `load_state_dict` wants: each tensor by the name of the module's parameter.

    The exporter keeps the names of all but the matrices of linear layers: those it stores
    transposed, under a number. The bias that is added to their product tells whose they are; the
    one without a bias is the text tower's `widen`.
    """
    values = _constants(model)
    biased = {
        name: node.input[1].removesuffix("bias") + "weight"
        for node in model.graph.node
        if node.op_type == "Add" and node.input[1].endswith(".bias")
        for name in node.input[:1]
    }
    found = {name: value for name, value in values.items() if not name.startswith("val_")}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in values:
            name = biased.get(node.output[0], "tower.widen.weight")
            found[name] = values[node.input[1]].T
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in found.items()}


def _constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Every float constant as the graph computes with it: what `export.shrink` did, undone."""
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    found = {name: value for name, value in stored.items() if value.dtype == np.float32}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            found[node.output[0]] = stored[node.input[0]].astype(np.float32)
        elif node.op_type == "Mul" and set(node.input) <= set(found):
            found[node.output[0]] = found[node.input[0]] * found[node.input[1]]
    spent = (".half", ".whole", ".cast", ".scale")
    return {name: value for name, value in found.items() if not name.endswith(spent)}

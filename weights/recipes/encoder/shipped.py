"""Read the shipped towers, so that their training can continue without the original runs.

    python -m recipes.encoder.shipped --weights weights --work runs/encoder --out earlier

The command writes image-earlier.pt, text-earlier.pt and pieces.json in the form of image.py and
text.py, and the text tower's rows of the photographs' sentences. The weights have the precision in
which they are stored (image: float16, text: 8 bits). The correction by `close_gap` of export.py
stays in the biases.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from rdmf_cli.encoders.embedded.wordpieces import WordPieces
from recipes.encoder.data import log, start_log, write_json
from recipes.encoder.learning import save
from recipes.encoder.text import write_photo_rows
from recipes.encoder.towers import ImageTower, TextShape, TextTower


def stored_tensors(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return every constant of a graph by its name, unpacked as `shrink` of export.py describes."""
    found = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        if not all(name in found for name in node.input):
            continue
        if node.op_type == "Cast":
            found[node.output[0]] = found[node.input[0]].astype(np.float32)
        if node.op_type == "Mul":
            found[node.output[0]] = found[node.input[0]] * found[node.input[1]]
    return found


def matrices(
    model: onnx.ModelProto, found: dict[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield layers and their weights; an export keeps the names of biases, but may lose these."""
    added = {name: n.input for n in model.graph.node if n.op_type == "Add" for name in n.input}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[1] in found:
            yield node.input[2].removesuffix(".bias"), found[node.input[1]]
        if node.op_type == "MatMul" and node.input[1] in found:
            sum_of = added.get(node.output[0], ())
            bias = next((name for name in sum_of if name.endswith(".bias")), "")
            yield bias.removesuffix(".bias"), found[node.input[1]].T


def read_back(tower: nn.Module, file: Path, prefix: str = "", without_bias: str = "") -> None:
    """Load `tower` from an exported graph. without_bias: its one linear layer without a bias."""
    model = onnx.load(file)
    found = stored_tensors(model)
    for layer, values in matrices(model, found):
        found[f"{layer or prefix + without_bias}.weight"] = values
    own = tower.state_dict()
    missing = [name for name in own if prefix + name not in found]
    if missing:
        raise SystemExit(f"{file} does not hold {', '.join(missing)}: not made by export.py?")
    with torch.no_grad():
        for name, values in own.items():
            values.copy_(torch.tensor(found[prefix + name]).reshape(values.shape))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of embedded_*.onnx")
    parser.add_argument("--work", type=Path, required=True, help="folder that data.py wrote")
    parser.add_argument("--out", required=True, help="the name of the new runs")
    args = parser.parse_args()
    start_log()
    file = args.weights / "embedded_image.onnx"
    image = ImageTower(len(stored_tensors(onnx.load(file))["hidden.bias"]))
    read_back(image, file)
    pieces = (args.weights / "embedded_pieces.txt").read_text(encoding="utf-8").splitlines()
    text = TextTower(TextShape(len(pieces)))
    read_back(text, args.weights / "embedded_text.onnx", "tower.", "widen")
    for kind, tower in (("image", image), ("text", text)):
        state = tower.state_dict()
        save(args.work / f"{kind}-{args.out}.pt", tower=state, ema=state)
    write_json(args.work / "pieces.json", pieces)
    write_photo_rows(text, WordPieces(pieces), args.work, args.out, half=False)
    log.info("image-%s.pt, text-%s.pt, photo_rows-%s.npy", args.out, args.out, args.out)


if __name__ == "__main__":
    main()

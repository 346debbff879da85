#!/usr/bin/env bash
# onnxruntime 1.32.0: after quantize_dynamic, the embedding of a clip depends on the clips beside it.
#
# `quantize_dynamic` is the one-line way to a smaller encoder ("dynamic": no calibration data). What it
# quantises while the model runs is the whole batch, by one scale that is taken from the batch's smallest
# and largest value. One clip with large values makes the steps coarse for all others. Here the same clip
# alone has a cosine of 1.00 with the float model, beside a clip whose values are 100 times larger 0.92,
# and beside one 1,000 times larger it is a row of zeros. `per_channel=True` concerns the weights alone and
# does not help. So a cache of features depends on the batch size, on the order of the videos and on
# padding, and a row cannot be made again from its clip alone.
#
# What to do: batches of one at the quantised model, MatMulNBits (weights alone), or static quantisation.
# Seen with: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6, Python 3.11, Linux, x86-64.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$work/env/bin/python" - "$work" 2>"$work/log" <<'PY' || { cat "$work/log"; exit 1; }
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

work = Path(sys.argv[1])
rng = np.random.default_rng(0)
weights = rng.normal(size=(64, 16)).astype(np.float32)
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["clips", 64])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["clips", 16])
node = helper.make_node("MatMul", ["x", "w"], ["y"])
graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(weights, "w")])
made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
made.ir_version = 8
onnx.save(made, work / "float.onnx")

clip = rng.normal(size=(1, 64)).astype(np.float32)
other = rng.normal(size=(1, 64)).astype(np.float32)
exact = (clip @ weights)[0]


def cosine(a, b):
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-9))


print("onnxruntime", onnxruntime.__version__, "- cosine of one clip's row with the float model's row")
for per_channel in (False, True):
    quantize_dynamic(work / "float.onnx", work / "int8.onnx", per_channel=per_channel)
    session = onnxruntime.InferenceSession(
        (work / "int8.onnx").read_bytes(), providers=["CPUExecutionProvider"]
    )
    found = {}
    for times in (None, 1, 100, 1000):
        batch = clip if times is None else np.concatenate([clip, times * other])
        found[times] = cosine(session.run(None, {"x": batch})[0][0], exact)
    words = ", ".join(
        f"{'alone' if times is None else f'beside one of {times} times its size'} {value:.4f}"
        for times, value in found.items()
    )
    print(f"per_channel={per_channel}: {words}")
    assert found[None] > 0.999 and found[1] > 0.999
    assert found[100] < 0.95 and found[1000] == 0, "rows are quantised apart now"
PY
echo "as described"

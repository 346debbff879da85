#!/usr/bin/env bash
# onnx 1.23.2: raising a model's opset changes what it computes, for Resize, Upsample and Hardmax.
#
# `onnx.version_converter.convert_version` exists to write a model anew in a later opset with the same
# meaning, and fails where it cannot. From opset 10 to 11, Resize got an attribute for how places in the
# two pictures correspond, whose default is not what opset 10 did. The converter does not set it: a
# linear resize samples half a pixel further from then on. Upsample becomes such a Resize. From 12 to 13,
# Hardmax and Softmax went from "all axes from this one on" to "this axis"; the converter rewrites Softmax
# and LogSoftmax and leaves Hardmax, so that [1, clips, words] has a 1 per clip, no longer one in all.
# The checker is content, shapes and types are the same, and nothing is said.
#
# What to do: compare the outputs of both models on the same input after each conversion; better, export
# anew from the source.
# Seen with: onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$work/env/bin/python" - <<'PY'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter


def model(operator, shape, opset, **attributes):
    scales = numpy_helper.from_array(np.array([1, 1, 1, 2], np.float32), "scales")
    inputs = ["x", "scales"] if operator in ("Resize", "Upsample") else ["x"]
    node = helper.make_node(operator, inputs, ["y"], **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(shape))
    graph = helper.make_graph([node], "g", [x], [y], [scales] if len(inputs) == 2 else [])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    return made


def answer(made, x):
    onnx.checker.check_model(made)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})[0]


print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__)
line = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
scores = np.array([[[1, 5, 2], [7, 3, 4]]], np.float32)
CASES = [  # operator, attributes, opset before, opset after, input, does the answer change?
    ("Resize", {"mode": "linear"}, 10, 11, line, True),
    ("Upsample", {"mode": "linear"}, 9, 10, line, False),
    ("Upsample", {"mode": "linear"}, 9, 11, line, True),
    ("Hardmax", {}, 12, 13, scores, True),
    ("Softmax", {}, 12, 13, scores, False),
    ("LogSoftmax", {}, 12, 13, scores, False),
]
for operator, attributes, before, after, x, changes in CASES:
    old = model(operator, x.shape, before, **attributes)
    was, now = answer(old, x), answer(version_converter.convert_version(old, after), x)
    assert was.shape == now.shape
    print(f"{operator} {before} to {after}:", "changed" if not np.allclose(was, now) else "the same")
    if changes:
        print("   was", was.ravel().tolist())
        print("   now", now.ravel().tolist())
    assert np.allclose(was, now) != changes, f"{operator} is converted otherwise now"
PY
echo "as described"

#!/usr/bin/env bash
# onnx 1.23.2: saving a model again to the same path appends its weights to the old ones.
#
# onnx.save(..., save_as_external_data=True, location="model.data") replaces the small .onnx file, but
# opens the file of weights for appending: after the third save it holds three sets of weights, of which
# the first two are never read again. The model loads and answers rightly, since it points behind them, so
# nothing is noticed until the disk fills or the file is sent to somebody, with all earlier weights inside.
# Re-exporting each epoch is the ordinary way to meet it.
#
# What to do: save into an empty folder and move it in place, or delete the file of weights before.
# Seen with: onnx 1.23.2, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet onnx==1.23.2 numpy
"$work/env/bin/python" - "$work" <<'PY'
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

work = Path(sys.argv[1])


def model(value):
    weights = numpy_helper.from_array(np.full(1000, value, dtype=np.float32), "w")
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1000]) for name in "xy")
    node = helper.make_node("Add", ["x", "w"], ["y"])
    return helper.make_model(helper.make_graph([node], "g", [x], [y], [weights]))


sizes = []
for value in (1.0, 2.0, 3.0):
    onnx.save(
        model(value), work / "model.onnx",
        save_as_external_data=True, location="model.data", size_threshold=0,
    )
    sizes.append((work / "model.data").stat().st_size)
loaded = numpy_helper.to_array(onnx.load(work / "model.onnx").graph.initializer[0])
print("onnx", onnx.__version__, "- bytes of weights after each save:", sizes)
assert sizes == [4000, 8000, 12000], "the weights are replaced now"
assert loaded[0] == 3.0
assert np.fromfile(work / "model.data", np.float32)[0] == 1.0
PY
echo "as described"

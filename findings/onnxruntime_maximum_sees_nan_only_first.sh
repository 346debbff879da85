#!/usr/bin/env bash
# onnxruntime 1.32.0 (CPU): the maximum over clips is NaN only where the FIRST clip is NaN.
#
# A score of a video is often the maximum over its clips. Where one row of features is damaged, numpy and
# torch make such a maximum NaN, and a check behind it notices. ONNX Runtime's ReduceMax and ReduceMin
# pass over a NaN anywhere but in the first place: the maximum of [0, 1, NaN, 3] is 3, that of
# [NaN, 1, 2, 3] is NaN. So an exported model hides damage that the model it was made from shows, and
# reversing a video changes whether it is seen. ArgMax never says it: [NaN, 1, 2, 3] gives 0, and
# [0, 1, NaN, 3] gives 3. Relu and Clip keep a NaN.
#
# What to do: test the rows for NaN before they enter the model, not the result behind it.
# Seen with: onnxruntime 1.32.0, onnx 1.23.2, Python 3.11, Linux, x86-64.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy
"$work/env/bin/python" - <<'PY'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def session(operator, result=TensorProto.FLOAT, **attributes):
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "clips"])
    y = helper.make_tensor_value_info("y", result, None)
    model = helper.make_model(
        helper.make_graph([node], "g", [x], [y]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 10
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def with_nan_at(place, length=75):
    rows = np.arange(length, dtype=np.float32)[None]
    rows[0, place] = np.nan
    return rows


places = (0, 1, 37, 74)
print("onnxruntime", onnxruntime.__version__, "- NaN at clip", places, "of 0 to 74")
found = {}
for name, run in {
    "ReduceMax": session("ReduceMax", axes=[1]),
    "ReduceMin": session("ReduceMin", axes=[1]),
    "ArgMax": session("ArgMax", TensorProto.INT64, axis=1),
}.items():
    found[name] = [float(run.run(None, {"x": with_nan_at(p)})[0].item()) for p in places]
    print(f"{name:10}", found[name])
print("numpy.max ", [float(with_nan_at(p).max()) for p in places])
for name in ("ReduceMax", "ReduceMin"):
    assert np.isnan(found[name][0]) and not np.isnan(found[name][1:]).any(), f"{name} differs"
assert found["ArgMax"] == [0, 74, 74, 73]
PY
echo "as described"

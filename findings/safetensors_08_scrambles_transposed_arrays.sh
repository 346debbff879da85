#!/usr/bin/env bash
# safetensors 0.8.0: a transposed or sliced numpy array comes back with other numbers in it.
#
# `safetensors.numpy.save_file` wrote any array rightly up to 0.7.0. 0.8.0 takes the bytes from the
# array's memory as they lie there, and notes the shape as if the array were in C order. Of features
# (clips, dimensions) that were transposed, or of every second row, the file has the right shape, type and
# size, loads without an error, and holds other values: of a slice, values that are not part of it.
# numpy.linalg, scikit-learn's PCA and every `.T` give such arrays.
# In the torch half of the same package, `save_file` refuses such a tensor.
#
# What to do: np.ascontiguousarray before saving, with every version.
# Seen with: safetensors 0.8.0 (scrambles), 0.7.0 (right), numpy 2.2.6, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3.10 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

cat >"$work/try.py" <<'PY'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

path, expected = sys.argv[1:]
rows = np.arange(12, dtype=np.float32).reshape(4, 3)  # four clips, three dimensions
arrays = {
    "as it is": rows,
    "contiguous copy": np.ascontiguousarray(rows.T),
    "transposed": rows.T,
    "every second clip": rows[::2],
    "F order": np.asfortranarray(rows),
}
save_file(arrays, path)
loaded = load_file(path)
print("safetensors", safetensors.__version__)
same = {}
for name, array in arrays.items():
    assert loaded[name].shape == array.shape and loaded[name].dtype == array.dtype
    same[name] = bool((loaded[name] == array).all())
    print(f"{name:18} {'the same' if same[name] else 'saved ' + str(array.tolist())}")
    if not same[name]:
        print(f"{'':18} read  {loaded[name].tolist()}")
right = {"as it is", "contiguous copy"} if expected == "scrambles" else set(arrays)
assert {name for name, whole in same.items() if whole} == right, "behaves otherwise now"
PY

check() {  # VERSION scrambles|right
    "$python" -m venv "$work/$1"
    "$work/$1/bin/python" -m pip install --quiet "safetensors==$1" numpy==2.2.6
    "$work/$1/bin/python" "$work/try.py" "$work/$1.safetensors" "$2"
}
check 0.7.0 right
check 0.8.0 scrambles
echo "as described"

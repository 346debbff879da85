#!/usr/bin/env bash
# zarr 3.1.6 and tensorstore 0.1.86: rows that were cut off come back when the array grows.
#
# A store of features is shrunk to three clips and grown to ten for another video. In HDF5 (h5py) rows 3 to
# 9 are then zeros. In zarr, and in tensorstore for the same format, shrinking deletes the chunks that lie
# wholly outside and leaves the chunk at the border as it is, so that growing shows its old rows again:
# clips 3 to 7 are those of the former video, clips 8 and 9 are zeros. Which of them depends on the chunk
# size alone. A row that was never written should be the fill value, and here passes every check for zeros.
# (The text of Array.resize says so; the text of the format and fill_value let one expect otherwise.)
#
# What to do: write the fill value over the rows before shrinking, or make a new array.
# Seen with: zarr 3.1.6 (formats 2 and 3), tensorstore 0.1.86, h5py 3.16.0, numpy 2.4.6, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet zarr==3.1.6 tensorstore==0.1.86 h5py==3.16.0 numpy==2.4.6
"$work/env/bin/python" - "$work" <<'PY'
import sys
from pathlib import Path

import h5py
import numpy as np
import tensorstore
import zarr

work, CLIPS, CHUNK = Path(sys.argv[1]), 10, 8
first_video = np.arange(1, CLIPS + 1, dtype=np.float32)
after = {}

with h5py.File(work / "rows.h5", "w") as file:
    rows = file.create_dataset("rows", data=first_video, maxshape=(None,), chunks=(CHUNK,))
    rows.resize((3,))
    rows.resize((CLIPS,))
    after["h5py"] = rows[:].tolist()

for form in (2, 3):
    rows = zarr.create_array(
        work / f"zarr{form}", shape=(CLIPS,), chunks=(CHUNK,), dtype="f4", fill_value=0, zarr_format=form
    )
    rows[:] = first_video
    rows.resize((3,))
    assert rows[:].tolist() == [1, 2, 3]
    rows.resize((CLIPS,))
    after[f"zarr, format {form}"] = rows[:].tolist()

layout = {"name": "regular", "configuration": {"chunk_shape": [CHUNK]}}
rows = tensorstore.open(
    {
        "driver": "zarr3",
        "kvstore": {"driver": "file", "path": str(work / "tensorstore")},
        "metadata": {"shape": [CLIPS], "data_type": "float32", "chunk_grid": layout, "fill_value": 0},
        "create": True,
    }
).result()
rows[:] = first_video
rows = rows.resize(exclusive_max=[3]).result()
rows = rows.resize(exclusive_max=[CLIPS]).result()
after["tensorstore"] = rows.read().result().tolist()

print("zarr", zarr.__version__, "h5py", h5py.__version__, "- 10 rows, shrunk to 3, grown to 10:")
for name, values in after.items():
    print(f"{name:15}", [int(value) for value in values])
    old = 3 if name == "h5py" else CHUNK
    assert values == first_video[:old].tolist() + [0] * (CLIPS - old), f"{name} behaves otherwise now"
PY
echo "as described"

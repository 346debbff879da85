#!/usr/bin/env bash
# webdataset 1.0.2: features of different QVHighlights videos become one sample, without a word.
#
# WebDataset takes everything up to the FIRST dot of a file's name as the sample's key; the rest is the
# kind of file. QVHighlights names its videos YOUTUBEID_60.0_210.0: a dot lies inside of the id. So
# RoripwjYFp8_60.0_210.0.npy and RoripwjYFp8_60.0_150.0.npy are read as one sample RoripwjYFp8_60 with
# the two fields "0_210.0.npy" and "0_150.0.npy". WebDataset's own TarWriter accepts such ids as
# "__key__", and what it wrote is read back merged: fewer samples, no warning, and no "npy" field.
#
# What to do: replace the dots of an id before writing (and back after reading), or read the tar file
# by the names of its members, cut at the last dot.
# Seen with: webdataset 1.0.2, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3.10 python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet webdataset==1.0.2 numpy
"$work/env/bin/python" - "$work/features.tar" <<'PY'
import sys

import numpy as np
import webdataset

path = sys.argv[1]
ids = ["RoripwjYFp8_60.0_210.0", "RoripwjYFp8_60.0_150.0", "j7rJstUseKg_360.0_510.0"]
with webdataset.TarWriter(path) as writer:
    for number, vid in enumerate(ids):
        writer.write({"__key__": vid, "npy": np.full((75, 4), number, dtype=np.float32)})

samples = list(webdataset.WebDataset(path, shardshuffle=False).decode())
read = {s["__key__"]: sorted(name for name in s if not name.startswith("__")) for s in samples}
print("webdataset", webdataset.__version__)
print("written:", ids)
print("read:   ", read)
assert read == {
    "RoripwjYFp8_60": ["0_150.0.npy", "0_210.0.npy"],
    "j7rJstUseKg_360": ["0_510.0.npy"],
}, "samples are no longer cut at the first dot"
PY
echo "as described"

#!/usr/bin/env bash
# usearch 2.26.6: with dtype="i8", inner product and L2 become the cosine.
#
# An index of numbers of one byte must scale what is added. usearch scales each vector by its own length,
# to 127, whatever the metric is, and keeps the length nowhere. So metric="ip" ranks by the cosine, and
# "l2sq" by the angle, too: a vector ten times as long as another in the same direction has the same
# distance. Here the row that the inner product wants first is last, and the row that is the query itself
# is, by L2, tied with one that is a tenth of it. With f32, f16 and bf16 the same calls are right. Distances come in units of the
# bytes (1 - 127 * 127 for every row of the query's direction), so no threshold can be carried over, either.
#
# What to do: i8 for rows that are unit rows anyhow; f16 or bf16 where lengths carry meaning.
# Seen with: usearch 2.26.6, numpy 2.2.6, Python 3.11, Linux, x86-64.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet usearch==2.26.6 numpy==2.2.6
"$work/env/bin/python" - <<'PY'
import numpy as np
import usearch
from usearch.index import Index

DIMENSIONS = 8
one = np.eye(DIMENSIONS, dtype=np.float32)
query = 10 * one[0]
rows = np.stack([one[0], 10 * one[0], 100 * (one[0] + one[1])]).astype(np.float32)
exact = {
    "ip": (-(rows @ query)).tolist(),
    "l2sq": ((rows - query) ** 2).sum(axis=1).tolist(),
}


def distances(metric, dtype):
    index = Index(ndim=DIMENSIONS, metric=metric, dtype=dtype)
    index.add(np.arange(len(rows)), rows)
    found = index.search(query, len(rows), exact=True)
    by_key = dict(zip(found.keys.tolist(), found.distances.tolist()))
    return [by_key[key] for key in range(len(rows))]


print("usearch", usearch.__version__)
for metric, right in exact.items():
    print(f"{metric:4} by hand", right)
    for dtype in ("f32", "f16", "bf16", "i8"):
        found = distances(metric, dtype)
        print(f"{metric:4} {dtype:4}   ", found)
        if dtype == "i8":
            assert found[0] == found[1], "lengths count for i8 now"
            assert np.argsort(found).tolist() != np.argsort(right).tolist()
        else:
            shift = 1 if metric == "ip" and abs(found[0] - right[0]) == 1 else 0
            assert np.allclose(np.array(found) - shift, right, rtol=0.01, atol=1), dtype
PY
echo "as described"

#!/usr/bin/env bash
# lancedb 0.40.0: an exact search by cosine leaves rows of zeros out, and answers a zero query with nothing.
#
# A table of five rows, one of them all zeros (a clip without sound, a padded row), searched for ten rows
# with distance_type("cosine") and no index gives four. By "dot" and "l2" it gives five. A query of zeros
# gives an empty list. No error, no warning: the distance is not a number, and such rows are dropped after
# the search. In numpy, faiss or usearch these rows are found, with similarity 0 or at the end of the list.
#
# What to do: never take the number of results for the number of rows; normalise rows yourself and search
# by "dot", or keep zero rows out of the table on purpose.
# Seen with: lancedb 0.40.0, pylance 14.0.2, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3.10 python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet lancedb==0.40.0 pylance==14.0.2 numpy
"$work/env/bin/python" - "$work/table" <<'PY'
import sys

import lancedb
import numpy as np
import pyarrow as pa

rows = np.concatenate([np.eye(4), np.zeros((1, 4))]).astype(np.float32)
vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 4)
table = lancedb.connect(sys.argv[1]).create_table(
    "clips", pa.table({"clip": pa.array(range(5)), "row": vectors})
)


def search(query, distance):
    hits = table.search(query).distance_type(distance).limit(10).to_list()
    return sorted(hit["clip"] for hit in hits)


found = {distance: search(rows[0], distance) for distance in ("cosine", "dot", "l2")}
nothing = search(rows[4], "cosine")
print("lancedb", lancedb.__version__, "- clips found:", found, "- by a zero query:", nothing)
assert found["dot"] == found["l2"] == [0, 1, 2, 3, 4], "dot or l2 leave rows out, too"
assert found["cosine"] == [0, 1, 2, 3], "cosine no longer leaves the row of zeros out"
assert nothing == [], "a zero query is answered now"
PY
echo "as described"

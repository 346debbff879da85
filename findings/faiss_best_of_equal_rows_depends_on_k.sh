#!/usr/bin/env bash
# faiss-cpu 1.15.1: which of several equal rows comes first depends on k, by inner product only.
#
# Footage that stands still gives equal rows. Asked for one result, IndexFlatIP answers with the first of
# them; asked for ten, with the tenth; for a hundred, with the hundredth: of the equal rows that are kept,
# the last is listed first. So search(row, 1) and the first of search(row, 10) are different clips.
# IndexFlatL2 and IndexBinaryFlat list the same rows in the order in which they were added, whatever k is.
# On unit rows, inner product and L2 should give one ranking, and a larger k should only make it longer.
#
# What to do: sort the results by (score, row number) before showing or evaluating them, and ask for more
# than k where rows repeat.
# Seen with: faiss-cpu 1.15.1, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3.10 python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet faiss-cpu==1.15.1
"$work/env/bin/python" - <<'PY'
import faiss
import numpy as np

row = np.array([[0.6, 0.8, 0, 0]], dtype=np.float32)
rows = np.repeat(row, 200, axis=0)
ks = (1, 10, 100)


def first_of(index, question, stored):
    index.add(stored)
    return [int(index.search(question, k)[1][0, 0]) for k in ks]


codes = np.full((200, 1), 3, dtype=np.uint8)
found = {
    "IndexFlatIP": first_of(faiss.IndexFlatIP(4), row, rows),
    "IndexFlatL2": first_of(faiss.IndexFlatL2(4), row, rows),
    "IndexBinaryFlat": first_of(faiss.IndexBinaryFlat(8), codes[:1], codes),
}
print("faiss", faiss.__version__, "- the first result for k =", ks)
for name, first in found.items():
    print(f"{name:16}", first)
assert found["IndexFlatIP"] == [0, 9, 99], "the first no longer depends on k"
assert found["IndexFlatL2"] == found["IndexBinaryFlat"] == [0, 0, 0], "these two now do"
PY
echo "as described"

#!/usr/bin/env bash
# sqlite-vec: a row of zeros that was stored first is the best match of every query.
#
# The cosine of a row of zeros is not a number. A feature extractor leaves such rows for a black or a
# failed frame, and a video often begins with one. In a KNN search by cosine, sqlite-vec (0.1.9) gives
# the row the distance NULL, and sorts it by its place: stored first it is the answer, ahead of rows
# at distance 0, and with k = 1 the true nearest is lost. Stored later, it was not found. So whether
# NULL is in the result depends on the order of insertion, not on the values.
#
# What to do: leave rows of zeros out of the table, or give them a direction of their own.
# Seen with: sqlite-vec 0.1.9, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet sqlite-vec==0.1.9 apsw==3.54.1.0 numpy
"$work/env/bin/python" - <<'PY'
import sys

import apsw
import numpy as np
import sqlite_vec


def opened() -> apsw.Connection:
    """An empty database in memory with sqlite-vec. apsw: not every Python lets sqlite3 extend."""
    database = apsw.Connection(":memory:")
    database.enable_load_extension(True)
    database.load_extension(sqlite_vec.loadable_path())
    return database


def nearest(rows: list[list[float]], k: int) -> list[tuple[int, float | None]]:
    """Search (1, 0, 0) by cosine; rows are numbered from 1."""
    database = opened()
    database.execute("CREATE VIRTUAL TABLE clips USING vec0(e float[3] distance_metric=cosine)")
    for number, row in enumerate(rows, start=1):
        values = (number, np.asarray(row, np.float32).tobytes())
        database.execute("INSERT INTO clips(rowid, e) VALUES (?, ?)", values)
    query = np.asarray([1, 0, 0], np.float32).tobytes()
    found = database.execute(
        "SELECT rowid, distance FROM clips WHERE e MATCH ? AND k = ?", (query, k)
    )
    return list(found)


ZEROS, FAR, NEAR = [0, 0, 0], [0, 1, 0], [1, 0, 0]
SEEN = {
    "zeros first, k = 1": ([ZEROS, FAR, NEAR], 1, [(1, None)]),
    "zeros first, k = 2": ([ZEROS, FAR, NEAR], 2, [(1, None), (3, 0.0)]),
    "zeros second, k = 1": ([FAR, ZEROS, NEAR], 1, [(3, 0.0)]),
    "zeros last, k = 2": ([FAR, NEAR, ZEROS], 2, [(2, 0.0), (1, 1.0)]),
}
same = True
for name, (rows, k, expected) in SEEN.items():
    found = nearest(rows, k)
    same &= found == expected
    print(f"{name}: (row, distance) {found}")
print("as seen" if same else "CHANGED")
sys.exit(not same)
PY

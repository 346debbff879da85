#!/usr/bin/env bash
# sqlite-vec: some conditions choose before the search, others after it, and leave fewer than k.
#
# `WHERE e MATCH ? AND k = 2 AND t < 4` looks for the two nearest rows among those with t below 4. The
# same with `OR` between two conditions, with a function of the column, or with a range of rowid is
# searched first, without the condition: what then does not fit is dropped, so that fewer than k rows
# come back, or none although many fit. Nothing tells the two apart. (rowid IN (…) chooses before.)
#
# What to do: only AND of plain comparisons with metadata columns, or `rowid IN (…)`; count what comes
# back.
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


# Six rows, ever nearer to the query (1, 0): row 6 is the nearest. t is the row's number.
database = opened()
database.execute("CREATE VIRTUAL TABLE clips USING vec0(e float[2], t float)")
for number in range(1, 7):
    row = np.asarray([1, 6 - number], np.float32).tobytes()
    database.execute("INSERT INTO clips(rowid, e, t) VALUES (?, ?, ?)", (number, row, float(number)))
query = np.asarray([1, 0], np.float32).tobytes()

SEEN = {  # condition: rows found for k = 2
    "t < 4": [3, 2],
    "t > 1 AND t < 4": [3, 2],
    "rowid IN (1, 2, 3)": [3, 2],
    "(t < 2 OR t = 3)": [],
    "abs(t) < 4": [],
    "rowid < 4": [],
    "(t < 4 OR t > 5)": [6],
}
same = True
for condition, expected in SEEN.items():
    sql = f"SELECT rowid FROM clips WHERE e MATCH ? AND k = 2 AND {condition}"
    found = [row[0] for row in database.execute(sql, (query,))]
    same &= found == expected
    print(f"{condition:20} {found}")
print("as seen" if same else "CHANGED")
sys.exit(not same)
PY

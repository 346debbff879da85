#!/usr/bin/env bash
# sqlite-vec: rows of int8 and bits can be inserted, but not updated, copied or replaced.
#
# `INSERT … VALUES (?, vec_int8(?))` works. `UPDATE … SET e = vec_int8(?)` with the very same value is
# refused as "a float32 vector": SQLite does not hand the mark of the type on to an update. For bits
# the message speaks of a length that is not divisible by 4. `INSERT … SELECT e` from the table itself
# fails in the same way, and `INSERT OR REPLACE` raises the conflict that it should resolve, also for
# floats.
#
# What to do: DELETE and INSERT in one transaction.
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


KINDS = {
    "int8": ("vec_int8", np.arange(8, dtype=np.int8).tobytes()),
    "bit": ("vec_bit", b"\x01"),
    "float": ("vec_f32", np.ones(8, np.float32).tobytes()),
}
ACTIONS = {
    "update": "UPDATE clips SET e = {make}(:row) WHERE rowid = 1",
    "copy": "INSERT INTO clips(rowid, e) SELECT rowid + 1, e FROM clips WHERE rowid = 1",
    "replace": "INSERT OR REPLACE INTO clips(rowid, e) VALUES (1, {make}(:row))",
    "delete and insert": "DELETE FROM clips WHERE rowid = 1;"
    " INSERT INTO clips(rowid, e) VALUES (1, {make}(:row))",
}
SEEN = {  # what each message begins with; "" where it works
    ("int8", "update"): "Updated vector",
    ("int8", "copy"): "Inserted vector",
    ("int8", "replace"): "UNIQUE constraint failed",
    ("int8", "delete and insert"): "",
    ("bit", "update"): "Updated vector",
    ("bit", "copy"): "Inserted vector",
    ("bit", "replace"): "UNIQUE constraint failed",
    ("bit", "delete and insert"): "",
    ("float", "update"): "",
    ("float", "copy"): "",
    ("float", "replace"): "UNIQUE constraint failed",
    ("float", "delete and insert"): "",
}
same = True
for (kind, action), expected in SEEN.items():
    make, row = KINDS[kind]
    database = opened()
    database.execute(f"CREATE VIRTUAL TABLE clips USING vec0(e {kind}[8])")
    database.execute(f"INSERT INTO clips(rowid, e) VALUES (1, {make}(?))", (row,))
    try:
        statement = ACTIONS[action].format(make=make)
        database.execute(statement, {"row": row} if ":row" in statement else None)
        said = ""
    except apsw.Error as error:
        said = str(error)
    same &= said.startswith(expected) if expected else said == ""
    print(f"{kind:5} {action:17} {said or 'works'}")
print("as seen" if same else "CHANGED")
sys.exit(not same)
PY

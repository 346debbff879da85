#!/usr/bin/env bash
# chromadb 1.5.9: get(ids=...) answers in another order and leaves ids out; delete counts what was not there.
#
# Who stores a row per clip asks for the rows of clips 7, 3 and 5 and puts them beside his own list. Chroma
# gives them in the order in which they were first added (3, 5, 7), and leaves out ids that it does not hold,
# so that row and clip no longer belong together; an array of the right width comes back in each case.
# `collection.delete(ids=["no such clip"])` returns {"deleted": 1}, and the collection is as before: a
# program that checks by this number that a video was taken out believes that it was.
#
# What to do: look rows up by the ids in the answer, never by place; before and after delete, get the ids.
# Seen with: chromadb 1.5.9, numpy 2.4.6, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet chromadb==1.5.9 numpy==2.4.6
"$work/env/bin/python" - "$work/store" <<'PY'
import sys

import chromadb
import numpy as np
from chromadb.config import Settings

settings = Settings(anonymized_telemetry=False)
for kind, client in (
    ("in memory", chromadb.EphemeralClient(settings)),
    ("on disk", chromadb.PersistentClient(sys.argv[1], settings)),
):
    clips = client.create_collection("clips", embedding_function=None)
    names = [f"clip {number}" for number in range(10)]
    clips.add(ids=names, embeddings=np.eye(10, dtype=np.float32))
    asked = ["clip 7", "clip 3", "clip 99", "clip 5"]
    answer = clips.get(ids=asked, include=["embeddings"])
    rows = [int(np.argmax(row)) for row in answer["embeddings"]]
    deleted = clips.delete(ids=["no such clip"])
    print("chromadb", chromadb.__version__, kind)
    print("asked for", asked)
    print("given    ", answer["ids"], "rows of clips", rows)
    print("delete of an unknown id says", deleted, "and leaves", clips.count())
    assert answer["ids"] == ["clip 3", "clip 5", "clip 7"] and rows == [3, 5, 7], "order is kept now"
    assert deleted == {"deleted": 1} and clips.count() == 10, "delete tells the truth now"
PY
echo "as described"

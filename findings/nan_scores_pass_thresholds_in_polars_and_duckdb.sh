#!/usr/bin/env bash
# polars 2.1.0 and duckdb 2.0.1: a score that is not a number passes every threshold, and is the best.
#
# A damaged row of features gives its clip the score NaN. In numpy, pandas and PyArrow, `score > 0.5`
# leaves such a clip out. Polars and DuckDB hold NaN to be the largest number: the condition is true for it,
# and `top_k`, `ORDER BY score DESC LIMIT 1` and DuckDB's `arg_max` give the damaged clip as the best moment.
# In Polars, `max` and `arg_max` of the same column pass over it, so the best by one way is not the best by
# the other. Parquet files go from the one to the other without change, and moving a filter from pandas to
# Polars, which is meant to be a matter of spelling, turns damage into hits.
#
# What to do: NaN to null (fill_nan(None), nullif) before filtering and sorting, or refuse it when storing.
# Seen with: polars 2.1.0, duckdb 2.0.1, pandas 3.1.1, pyarrow 26.0.1, numpy 2.4.6, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet \
    polars==2.1.0 duckdb==2.0.1 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6
"$work/env/bin/python" - "$work/scores.parquet" <<'PY'
import sys

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

path = sys.argv[1]
scores = np.array([0.2, np.nan, 0.9, 0.7])
pq.write_table(pa.table({"clip": np.arange(4), "score": scores}), path)

frame, table = pl.read_parquet(path), f"read_parquet('{path}')"
kept = {
    "numpy": np.flatnonzero(scores > 0.5).tolist(),
    "pandas": pd.read_parquet(path).query("score > 0.5")["clip"].tolist(),
    "pyarrow": pq.read_table(path, filters=[("score", ">", 0.5)])["clip"].to_pylist(),
    "polars": frame.filter(pl.col("score") > 0.5)["clip"].to_list(),
    "duckdb": [row[0] for row in duckdb.sql(f"select clip from {table} where score > 0.5").fetchall()],
}
best = {
    "pandas nlargest": pd.read_parquet(path).nlargest(1, "score")["clip"].item(),
    "polars top_k": frame.top_k(1, by="score")["clip"].item(),
    "polars arg_max": frame["clip"][frame["score"].arg_max()],
    "duckdb order by": duckdb.sql(f"select clip from {table} order by score desc limit 1").fetchall()[0][0],
    "duckdb arg_max": duckdb.sql(f"select arg_max(clip, score) from {table}").fetchall()[0][0],
}
print("polars", pl.__version__, "duckdb", duckdb.__version__, "- scores", scores.tolist())
print("clips with score > 0.5:", kept)
print("the best clip:", best)
assert kept["numpy"] == kept["pandas"] == kept["pyarrow"] == [2, 3]
assert sorted(kept["polars"]) == sorted(kept["duckdb"]) == [1, 2, 3], "NaN does not pass now"
assert best["pandas nlargest"] == best["polars arg_max"] == 2
assert best["polars top_k"] == best["duckdb order by"] == best["duckdb arg_max"] == 1
PY
echo "as described"

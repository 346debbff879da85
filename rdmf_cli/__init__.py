"""rdmf: language-guided video moment retrieval by reaction-diffusion fusion.

>>> from rdmf_cli import query
>>> answer = query("examples/tour.mp4", "the face of a cat")
>>> answer.moments[0].start, answer.moments[0].end      # seconds; the best moment comes first
>>> answer.saliency                                     # one number in [0, 1] per clip

>>> from rdmf_cli import Searcher                       # many queries: load once, ask often
>>> search = Searcher(clip_length=1.0)
>>> for answer in search.ask("examples/tour.mp4", ["a rocket", "old coins"]):
...     print(answer.query, answer.moments[0].score)

>>> from rdmf_cli import extract, fuse
>>> extract("examples/tour.mp4").rows.shape             # (clips, 384), stored in the cache
>>> fuse("examples/tour.mp4", "a rocket").reading.v     # the pattern: (channels, clips)

>>> from rdmf_cli import cut                            # moments as separate videos
>>> cut("examples/tour.mp4", "a rocket")[0].path        # tour_1.mp4

>>> from rdmf_cli import evaluate, train                # as `rdmf eval` and `rdmf train`
>>> train(dataset="charades", features="charades").scores
>>> evaluate("predictions.jsonl", "val.jsonl").brief

>>> from rdmf_cli import analyze, compare               # as `rdmf compare` and `rdmf analyze`
>>> compare(["baseline.jsonl", "mine.jsonl"], "val.jsonl").others[0].differences
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rdmf_cli.errors import ExitCode, MissingExtra, RdmfError, UsageError
from rdmf_cli.lazy import lazily, listed

if TYPE_CHECKING:
    from rdmf_cli.api import (
        Fused,
        Searcher,
        analyze,
        compare,
        cut,
        data_report,
        evaluate,
        export,
        extract,
        fuse,
        index,
        query,
        search,
        sweep,
        train,
    )
    from rdmf_cli.api.records import Answer, Hit, Moment

# ONNX Runtime 1.32 for Linux collects telemetry: on import, ONNX Runtime writes a file `.ses` into
# the temporary folder, and it can send reports to its maker. This variable turns the telemetry off;
# ONNX Runtime reads the variable on import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "ExitCode",
    "Fused",
    "Hit",
    "MissingExtra",
    "Moment",
    "RdmfError",
    "Searcher",
    "UsageError",
    "analyze",
    "compare",
    "cut",
    "data_report",
    "evaluate",
    "export",
    "extract",
    "fuse",
    "index",
    "query",
    "search",
    "sweep",
    "train",
]

# These names are imported on first use, so that `rdmf --help` does not wait for numpy.
_HOMES = {
    **dict.fromkeys(
        ("Fused", "Searcher", "cut", "data_report", "evaluate", "extract", "fuse"), "rdmf_cli.api"
    ),
    **dict.fromkeys(("export", "index", "query", "search", "sweep", "train"), "rdmf_cli.api"),
    **dict.fromkeys(("analyze", "compare"), "rdmf_cli.api"),
    **dict.fromkeys(("Answer", "Hit", "Moment"), "rdmf_cli.api.records"),
}


__getattr__ = lazily(__name__, _HOMES)
__dir__ = listed(__name__, _HOMES)

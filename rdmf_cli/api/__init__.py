"""The commands as Python functions with the same names.

    searcher.py     `Searcher`: loads encoder, head and cache once, then answers many queries
    verbs.py        query, extract, fuse: one searcher, one question
    evaluation.py   evaluate        training.py   train, sweep, export
    sweeping.py     the runs of a sweep
    searching.py    search          indexing.py   index
    comparing.py    compare, analyze
    cutting.py      cut             datastats.py  data_report
    watching.py     a library that follows its folders; hook.py: a command to run for each new hit
    cache.py, weights.py, doctor.py    for the commands with these names
    records.py      the public `Answer`, `Moment` and `Hit`: they show themselves, open their video
    answers.py      an `Answer`, made from a reading
    arguments.py    arguments of callers: check their types, read times

`cli/` calls this package and `outputs/`; `tests/test_architecture.py` lists all allowed imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdmf_cli.lazy import lazily, listed

if TYPE_CHECKING:
    from rdmf_cli.api.comparing import analyze, compare
    from rdmf_cli.api.cutting import cut
    from rdmf_cli.api.datastats import data_report
    from rdmf_cli.api.evaluation import evaluate
    from rdmf_cli.api.fused import Fused
    from rdmf_cli.api.indexing import index
    from rdmf_cli.api.searcher import Searcher
    from rdmf_cli.api.searching import search
    from rdmf_cli.api.training import export, sweep, train
    from rdmf_cli.api.verbs import extract, fuse, query

__all__ = [
    "Fused",
    "Searcher",
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

_HERE = "rdmf_cli.api"
_HOMES = {
    **dict.fromkeys(("analyze", "compare"), f"{_HERE}.comparing"),
    "cut": f"{_HERE}.cutting",
    "data_report": f"{_HERE}.datastats",
    "evaluate": f"{_HERE}.evaluation",
    "Fused": f"{_HERE}.fused",
    "index": f"{_HERE}.indexing",
    "search": f"{_HERE}.searching",
    "Searcher": f"{_HERE}.searcher",
    **dict.fromkeys(("export", "sweep", "train"), f"{_HERE}.training"),
    **dict.fromkeys(("extract", "fuse", "query"), f"{_HERE}.verbs"),
}

__getattr__ = lazily(__name__, _HOMES)
__dir__ = listed(__name__, _HOMES)

"""The commands as Python functions of the same names.

    searcher.py     `Searcher`: encoder, head and cache are loaded once, then asked often
    verbs.py        query, extract, fuse: one searcher, one question
    evaluation.py   evaluate        training.py   train
    search.py       search          index.py      index
    comparing.py    compare, analyze
    cutting.py      cut
    answers.py      the public `Answer`, from a reading
    arguments.py    what callers give: checked by their types, times read

`cli/` and every other way in calls this package and `outputs/`, and nothing else.
"""

from __future__ import annotations

from rdmf_cli.api.comparing import analyze, compare
from rdmf_cli.api.cutting import cut
from rdmf_cli.api.evaluation import evaluate
from rdmf_cli.api.fused import Fused
from rdmf_cli.api.index import index
from rdmf_cli.api.search import search
from rdmf_cli.api.searcher import Searcher
from rdmf_cli.api.training import train
from rdmf_cli.api.verbs import extract, fuse, query

__all__ = [
    "Fused",
    "Searcher",
    "analyze",
    "compare",
    "cut",
    "evaluate",
    "extract",
    "fuse",
    "index",
    "query",
    "search",
    "train",
]

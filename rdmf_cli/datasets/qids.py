"""Lists of qids: a selection of the queries of a split."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from rdmf_cli.datasets.lines import LineError, identifier, read_text, records, text_lines
from rdmf_cli.errors import RdmfError


def read_qids(path: str | PathLike[str]) -> frozenset[str]:
    """Read a list of qids, as texts.

    The file contains one qid per line, or one JSON list, or JSON Lines with a `qid` in each line
    (annotations or predictions). The file may be gzipped.

    Raises:
        RdmfError: The file cannot be read, or has another form.
    """
    path = Path(path)
    start = read_text(path).lstrip()[:1]
    if start == "{":
        return frozenset(str(identifier(record, path, line)) for line, record in records(path))
    if start == "[":
        return _json_list(path)
    return frozenset(text.strip() for _, text in text_lines(path))


def _json_list(path: Path) -> frozenset[str]:
    try:
        qids = json.loads(read_text(path))
    except (ValueError, RecursionError):
        raise RdmfError("must be a JSON list of qids, or one qid per line", path) from None
    for place, qid in enumerate(qids):
        if isinstance(qid, bool) or not isinstance(qid, int | str):
            raise LineError(path, 1, f"[{place}] must be a qid: a whole number or a name")
    return frozenset(map(str, qids))

"""Lists of qids: a selection of the queries of a split."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from rdmf_cli.datasets.lines import LineError, identifier, read_text, records, text_lines
from rdmf_cli.errors import RdmfError


@dataclass(frozen=True)
class Qids:
    """Hold a list of qids.

    Attributes:
        path: The file that lists them.
        lines: The first line of each qid in the file, by qid as text.
        repeated: The qids that the file lists more than once, in order.
    """

    path: Path
    lines: dict[str, int]
    repeated: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path, found: Iterable[tuple[int, str]]) -> Qids:
        """Collect pairs of line and qid."""
        lines: dict[str, int] = {}
        repeated: dict[str, None] = {}
        for line, qid in found:
            if qid in lines:
                repeated[qid] = None
            lines.setdefault(qid, line)
        return cls(path, lines, tuple(repeated))


def read_qids(path: str | PathLike[str]) -> Qids:
    """Read a list of qids, as texts.

    The file contains one qid per line, or one JSON list, or JSON Lines with a `qid` in each line
    (annotations or predictions). The file may be gzipped.

    Raises:
        RdmfError: The file cannot be read, or has another form.
    """
    path = Path(path)
    start = read_text(path).lstrip()[:1]
    if start == "{":
        found = ((line, str(identifier(record, path, line))) for line, record in records(path))
        return Qids.of(path, found)
    if start == "[":
        return Qids.of(path, ((1, qid) for qid in _json_list(path)))
    return Qids.of(path, ((line, text.strip()) for line, text in text_lines(path)))


def _json_list(path: Path) -> list[str]:
    try:
        qids = json.loads(read_text(path))
    except (ValueError, RecursionError):
        raise RdmfError("must be a JSON list of qids, or one qid per line", path) from None
    for place, qid in enumerate(qids):
        if isinstance(qid, bool) or not isinstance(qid, int | str):
            raise LineError(path, 1, f"[{place}] must be a qid: a whole number or a name")
    return [str(qid) for qid in qids]

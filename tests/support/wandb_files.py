"""Read the file of a Weights & Biases run as W&B's messages, without their service.

The file is a log of LevelDB (https://github.com/google/leveldb/blob/main/doc/log_format.md) after a
header of seven bytes; each record is a message `Record` of wandb's protobuf. wandb itself now reads
this file only in Go.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

HEADER, BLOCK, RECORD_HEADER = 7, 32768, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass
class Run:
    """The content of a run's file: its curves are {name: {step: value}}."""

    id: str = ""
    project: str = ""
    name: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, dict[int, float]] = field(default_factory=dict)
    exit_code: int | None = None


def runs_in(folder: Path) -> list[Run]:
    """Return the offline runs of a run folder, the oldest first."""
    files = sorted(folder.glob("wandb/offline-run-*/run-*.wandb"), key=lambda f: f.stat().st_mtime)
    return [_run(file) for file in files]


def _run(path: Path) -> Run:
    run = Run()
    for record in map(Record.FromString, _records(path.read_bytes())):
        kind = record.WhichOneof("record_type")
        if kind == "run" and not run.id:
            run.id, run.project = record.run.run_id, record.run.project
            run.name = record.run.display_name
            run.config = {one.key: json.loads(one.value_json) for one in record.run.config.update}
        elif kind == "history":
            row = {"/".join(one.nested_key) or one.key: one for one in record.history.item}
            step = record.history.step.num
            for name, one in row.items():
                run.curves.setdefault(name, {})[step] = json.loads(one.value_json)
        elif kind == "exit":
            run.exit_code = record.exit.exit_code
    return run


def _records(content: bytes) -> Iterator[bytes]:
    """Yield the records of a LevelDB log; a record may be spread over several blocks."""
    assert content[:4] == b":W&B"
    place, record = HEADER, b""
    while place + RECORD_HEADER <= len(content):
        left = BLOCK - place % BLOCK
        if left < RECORD_HEADER:
            place += left
            continue
        length = int.from_bytes(content[place + 4 : place + 6], "little")
        kind, place = content[place + 6], place + RECORD_HEADER
        record += content[place : place + length]
        place += length
        if kind in (FULL, LAST):
            yield record
            record = b""

"""Whole outputs, compared with files that a person has read; make the files again with
`PYTHONPATH=tests/support python FILE`.

Timelines need existing videos; `tests/handover` tests them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sample_answers import empty_answer, sample_answer, sample_field

from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs import FORMATS, open_writer
from rdmf_cli.outputs.curve import Curve
from rdmf_cli.outputs.strip import PatternStrip, RegimeTable
from rdmf_cli.outputs.table import TableWriter
from rdmf_cli.outputs.timelines import TimelineWriter

GOLDEN = Path(__file__).parent / "golden"
AWKWARD = 'two lines\nand --> <b>"quotes"</b> & дверь'
REGIMES: list[dict[str, Any]] = [
    {
        "channel": "short",
        **{"D_u": 0.3, "D_v": 0.08, "F": 0.06, "k": 0.06, "dt": 1.0, "r*": 0.96},
        "spacing": None,
        "regime": "bistable",
    },
    {
        "channel": "long",
        **{"D_u": 0.4, "D_v": 0.04, "F": 0.03, "k": 0.055, "dt": 1.0, "r*": 0.96333},
        "spacing": 24.53,
        "regime": "Turing",
    },
]


WRITTEN = [
    name
    for name, entry in FORMATS.items()
    if name != "table" and not issubclass(entry.load(), TimelineWriter)
]
"""Timelines need videos that are there: `tests/handover` holds them."""


def written(name: str) -> str:
    stream = io.StringIO()
    with open_writer(name, stream) as writer:
        for answer in (sample_answer(12), sample_answer(5400, query=AWKWARD), empty_answer(3)):
            writer.write(answer.model_copy(update={"saliency": (), "saliency_raw": ()}))
    return stream.getvalue()


def shown(*parts: object, width: int = 80, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    Console(file=stream, width=width, highlight=False).print(*parts, sep="\n")
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


def table(answer: Answer, width: int = 80, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(file=stream, width=width, highlight=False)
    TableWriter(stream, console=console).write(answer)
    stream.flush()
    return stream.buffer.getvalue().decode(stream.encoding)


def strip(clips: int = 45) -> PatternStrip:
    sets = {0.9: [(20.0, 26.0)], 0.5: [(18.0, 28.0), (58.0, 68.0)]}
    field = sample_field(clips)
    return PatternStrip(field, 2.0, u=1 - 0.9 * field, title="short", level_sets=sets)


CASES: dict[str, Callable[[], str]] = {
    **{f"moments.{name}": partial(written, name) for name in WRITTEN},
    "table_80.txt": lambda: table(sample_answer()),
    "table_80_ascii.txt": lambda: table(sample_answer(query=AWKWARD), encoding="ascii"),
    "table_40_long.txt": lambda: table(sample_answer(5400), width=40),
    "table_empty.txt": lambda: table(empty_answer()),
    "curve_30.txt": lambda: shown(Curve(sample_answer()), width=30),
    "curve_120_part.txt": lambda: shown(Curve(sample_answer(300, offset=3501.5)), width=120),
    "strip_80.txt": lambda: shown(RegimeTable(REGIMES), strip()),
    "strip_40_ascii.txt": lambda: shown(RegimeTable(REGIMES), strip(), width=40, encoding="ascii"),
}


@pytest.mark.parametrize("name", CASES)
def test_output_is_the_golden_one(name: str) -> None:
    assert CASES[name]() == (GOLDEN / name).read_bytes().decode()


def test_output_does_not_depend_on_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TZ", "LANG", "LC_ALL"):
        monkeypatch.setenv(name, "C")
    assert written("json") == (GOLDEN / "moments.json").read_text(encoding="utf-8")


if __name__ == "__main__":
    os.makedirs(GOLDEN, exist_ok=True)
    for file, render in CASES.items():
        (GOLDEN / file).write_bytes(render().encode())

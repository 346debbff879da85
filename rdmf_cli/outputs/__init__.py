"""How answers are shown: one small writer per format, and pictures for terminals and paper.

A writer takes the stream once and then one answer at a time::

    writer = FORMATS["srt"](sys.stdout)
    for answer in answers:
        writer.write(answer)
"""

from __future__ import annotations

from rdmf_cli.outputs.csv_rows import CsvWriter
from rdmf_cli.outputs.curve import Curve
from rdmf_cli.outputs.json_lines import JsonWriter, error_line
from rdmf_cli.outputs.strip import PatternStrip, RegimeTable
from rdmf_cli.outputs.subtitles import SrtWriter, VttWriter
from rdmf_cli.outputs.table import AnswerTable, TableWriter
from rdmf_cli.outputs.writer import Writer

FORMATS: dict[str, type[Writer]] = {
    "table": TableWriter,
    "json": JsonWriter,
    "csv": CsvWriter,
    "srt": SrtWriter,
    "vtt": VttWriter,
}

__all__ = [
    "FORMATS",
    "AnswerTable",
    "CsvWriter",
    "Curve",
    "JsonWriter",
    "PatternStrip",
    "RegimeTable",
    "SrtWriter",
    "TableWriter",
    "VttWriter",
    "Writer",
    "error_line",
]

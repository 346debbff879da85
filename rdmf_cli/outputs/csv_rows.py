"""Write moments as CSV, quoted as in RFC 4180; lines end with a line feed (not CR LF)."""

from __future__ import annotations

import csv
from typing import TextIO

from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.writer import Writer
from rdmf_cli.text import without_controls

COLUMNS = ("video", "query", "rank", "start", "end", "score", "raw_score", "presence")


class CsvWriter(Writer):
    """Write one header and one row per moment; times are in seconds.

    Control characters in names and queries are replaced. A cell that begins like a formula (`=`) is
    not changed, because programs need the original query; `docs/usage.md` describes how to open the
    file in a spreadsheet.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.rows = csv.writer(stream, lineterminator="\n")
        self.rows.writerow(COLUMNS)

    def write(self, answer: Answer) -> None:
        """Write one row per moment."""
        for moment in answer.moments:
            times = (f"{moment.start:.3f}", f"{moment.end:.3f}")
            scores = (moment.score, moment.raw_score, answer.presence)
            facts = (f"{score:.6f}" for score in scores)
            names = (without_controls(answer.video), without_controls(answer.query))
            self.rows.writerow((*names, moment.rank, *times, *facts))

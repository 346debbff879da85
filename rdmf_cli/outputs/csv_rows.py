"""Moments as rows of CSV (RFC 4180 quoting, lines end in a bare line feed as pipelines expect)."""

from __future__ import annotations

import csv
from typing import TextIO

from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.writer import Writer
from rdmf_cli.text import without_controls

COLUMNS = ("video", "query", "rank", "start", "end", "score", "raw_score", "presence")


class CsvWriter(Writer):
    """Writes one row per moment under one header; times in seconds. No moment, no row.

    Control characters in names and queries are replaced. A cell may begin like a formula, with `=`
    say: programs get what was asked, and `docs/usage.md` says how a spreadsheet opens it.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.rows = csv.writer(stream, lineterminator="\n")
        self.rows.writerow(COLUMNS)

    def write(self, answer: Answer) -> None:
        for moment in answer.moments:
            times = (f"{moment.start:.3f}", f"{moment.end:.3f}")
            scores = (moment.score, moment.raw_score, answer.presence)
            facts = (f"{score:.6f}" for score in scores)
            names = (without_controls(answer.video), without_controls(answer.query))
            self.rows.writerow((*names, moment.rank, *times, *facts))

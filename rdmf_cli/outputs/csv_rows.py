"""Moments as rows of CSV (RFC 4180 quoting, lines end in a bare line feed as pipelines expect)."""

from __future__ import annotations

import csv
from typing import TextIO

from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.writer import Writer

COLUMNS = ("video", "query", "rank", "start", "end", "score", "raw_score", "presence")


class CsvWriter(Writer):
    """One row a moment under one header; times in seconds. An answer without moments has no row."""

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.rows = csv.writer(stream, lineterminator="\n")
        self.rows.writerow(COLUMNS)

    def write(self, answer: Answer) -> None:
        for moment in answer.moments:
            times = (f"{moment.start:.3f}", f"{moment.end:.3f}")
            scores = (moment.score, moment.raw_score, answer.presence)
            facts = (f"{score:.6f}" for score in scores)
            self.rows.writerow((answer.video, answer.query, moment.rank, *times, *facts))

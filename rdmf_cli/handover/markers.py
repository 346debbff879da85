"""Markers as CSV, with the columns of the marker lists of editing programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from rdmf_cli.handover.timeline import Event, Timeline
from rdmf_cli.text import one_line

COLUMNS = (
    *("Marker Name", "Description", "In", "Out", "Duration", "Marker Type"),
    *("File", "Frame Rate", "Rank", "Score"),
)


def markers_text(timeline: Timeline) -> str:
    """Write one marker per moment, in the time code of its video; out-points are exclusive."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(_row(event) for event in timeline.events)
    return stream.getvalue()


def _row(event: Event) -> Iterator[object]:
    source, moment = event.source, event.moment
    length = source.counting.code(event.stop - event.first)
    yield from (event.label, event.query, *event.codes, length, "Comment")
    yield from (one_line(source.path.name), f"{float(source.rate):.6g}")
    yield from (moment.rank, f"{moment.score:.6f}")

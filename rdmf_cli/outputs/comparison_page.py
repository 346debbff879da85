"""A comparison as an HTML page: metrics, wins and losses, and the queries that differ most."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from rdmf_cli.outputs.comparison_cells import (
    DIFFERENCE_COLUMNS,
    TALLY_COLUMNS,
    difference_row,
    tally_row,
)
from rdmf_cli.outputs.page import document, element, table
from rdmf_cli.outputs.payloads.comparison import AgainstRecord, Comparison, QueryRecord, Windows
from rdmf_cli.text import clock, counted, queries

WIDTH, LANE = 800, 14  # of the drawing, in its own units; the page scales the width
GREEN, BLUE, ORANGE = "#009E73", "#0072B2", "#D55E00"  # also distinct for colour-blind readers
FADING = 0.65  # each window is fainter by this factor than the window ranked before it


def comparison_page(record: Comparison) -> bytes:
    """Write the page: one HTML file in UTF-8 that loads nothing."""
    about = (
        f"{record.dataset}, {queries(record.queries)} on {counted(record.videos, 'video')}. "
        f"Baseline: {record.baseline}. Intervals of {record.confidence:.0%}."
    )
    body = [element("p", about), *(element("p", note) for note in record.notes)]
    for other in record.others:
        body += _against(record, other)
    return document("Comparison of predictions", *body)


def _against(record: Comparison, other: AgainstRecord) -> list[Element]:
    metric = record.metric
    return [
        element("h2", f"{other.file} against {record.baseline}"),
        table(DIFFERENCE_COLUMNS, [difference_row(row) for row in other.differences]),
        element("h2", f"Wins and losses by {metric}"),
        table(TALLY_COLUMNS, [tally_row(row) for row in other.tallies], words=2),
        element("h2", _most(len(other.queries), metric)),
        *(_query(query) for query in other.queries),
    ]


def _most(number: int, metric: str) -> str:
    many = f"The {number} queries that differ"
    return f"{'The query that differs' if number == 1 else many} most in {metric}"


def _query(query: QueryRecord) -> Element:
    scores = f"baseline {query.baseline:.1f}, other {query.other:.1f} ({query.difference:+.1f})"
    return element(
        "section",
        element("h3", query.query),
        element("p", f"qid {query.qid}, {query.vid}: {scores}", class_="about"),
        _timeline(query),
        class_="query",
    )


def _timeline(query: QueryRecord) -> Element:
    """Draw the moments, and the first windows of both files, over the length of the video."""
    lanes = [
        ("moments", query.moments, GREEN, 1.0),
        ("baseline", query.baseline_windows, BLUE, FADING),
        ("other", query.other_windows, ORANGE, FADING),
    ]
    ends = [window[1] for _, windows, _, _ in lanes for window in windows]
    length = max(query.duration or 0.0, *ends, 1e-3)
    drawn: list[Element] = []
    names: list[Element] = []
    for place, (name, windows, colour, fading) in enumerate(lanes):
        names.append(element("span", name, style=f"color: {colour}"))
        drawn += _bars(windows, colour, fading, place * LANE, length)
    described = f"moments and windows in {clock(length)}"
    size = f"0 0 {WIDTH} {len(lanes) * LANE}"
    shape = {"viewBox": size, "preserveAspectRatio": "none"}
    drawing = Element("svg", {**shape, "role": "img", "aria-label": described})
    drawing.extend(drawn)
    return element("div", element("div", *names), drawing, class_="lanes")


def _bars(windows: Windows, colour: str, fading: float, top: float, length: float) -> list[Element]:
    """Draw one bar per window with its times as a tooltip; the best window is on top."""
    bars = []
    for rank, window in reversed(list(enumerate(windows))):
        start, end = (max(time, 0.0) / length * WIDTH for time in window[:2])
        times = f"{clock(max(window[0], 0.0))} – {clock(max(window[1], 0.0))}"
        bars.append(
            element(
                "rect",
                element("title", times),
                x=f"{start:.1f}",
                y=top + 2,
                width=f"{max(end - start, 1):.1f}",
                height=LANE - 4,
                fill=colour,
                fill_opacity=f"{fading**rank:.2f}",
            )
        )
    return bars

"""Hits of a search as a table, best first; a line separates the convincing hits from the others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from rdmf_cli.library.types import Hit
from rdmf_cli.moments.types import Answer, Features, Moment
from rdmf_cli.outputs.bars import bar
from rdmf_cli.outputs.curve import BEST, LISTED
from rdmf_cli.outputs.table import said
from rdmf_cli.outputs.terminal import FAINT, Justify, plain_table, printable
from rdmf_cli.text import clock, date_and_time

HEADS: tuple[tuple[str, Justify], ...] = (
    *(("#", "right"), ("relevance", "right"), ("", "left")),
    *(("moment", "right"), ("video", "left")),
)
BAR = 8  # columns of the bar that shows relevance
NOTHING = "Nothing convinces; the nearest moments are:"
BELOW = "below this line nothing convinces"


@dataclass(frozen=True)
class HitTable:
    """Show the ranked hits of one query; convincing hits come first."""

    hits: Sequence[Hit]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.hits:
            yield Text("No moments: nothing in these videos scored high enough.\n")
            return
        root = common_folder([hit.video for hit in self.hits])
        if not self.hits[0].convinces:
            yield Text(NOTHING, style="yellow")
        yield self._table(root, options)
        if root:
            yield Text("in ", style=FAINT).append(printable(root, options.encoding))

    def _table(self, root: str, options: ConsoleOptions) -> Table:
        table = plain_table(options.ascii_only, HEADS)
        dash = "-" if options.ascii_only else "–"
        convinced = self.hits[0].convinces
        for hit in self.hits:
            if convinced and not hit.convinces:
                table.add_row("", "", "", "", Text(BELOW, style="yellow"))
                convinced = False
            style = BEST if hit.rank == 1 else LISTED
            table.add_row(
                Text(str(hit.rank), style=style),
                Text(f"{hit.relevance:.2f}"),
                Text(bar(hit.relevance, BAR, options.ascii_only), style=style),
                Text(f"{clock(hit.start)} {dash} {clock(hit.end)}"),
                self._name(hit, root, options.encoding),
            )
            if hit.recorded_at:
                recorded = f"recorded {date_and_time(hit.recorded_at)}"
                table.add_row("", "", "", "", Text(recorded, style=FAINT))
            if hit.said:
                table.add_row("", "", "", "", said(hit.said, options.encoding))
        return table

    def _name(self, hit: Hit, root: str, encoding: str) -> Text:
        name = printable(os.path.relpath(hit.video, root) if root else hit.video, encoding)
        return name.append("  (this file is gone)", style="yellow") if hit.missing else name


def answer_of_hit(hit: Hit) -> Answer:
    """Return a hit as an answer with one moment, for formats of answers; without a curve."""
    moment = Moment(
        rank=hit.rank,
        start=hit.start,
        end=hit.end,
        score=hit.score,
        raw_score=hit.score,
        recorded_at=hit.recorded_at,
    )
    features = Features(
        encoder=hit.encoder, decoder="", clips=0, cached=True, frames_decoded=0, frames_failed=0
    )
    return Answer(
        video=hit.video,
        query=hit.query,
        duration=hit.duration,
        clip_length=hit.clip_length,
        head=hit.head,
        presence=hit.presence,
        moments=(moment,),
        saliency=(),
        saliency_raw=(),
        features=features,
    )


def common_folder(videos: Sequence[str]) -> str:
    """Return the folder that holds all videos; "" for one video, or if there is no such folder.

    >>> common_folder(["films/a/x.mp4", "films/b.mp4"])
    'films'
    """
    folders = [os.path.dirname(video) for video in videos]
    if len(videos) < 2 or not all(folders):
        return ""
    try:
        common = os.path.commonpath(folders)
    except ValueError:  # the videos are on several drives, or paths are absolute and relative
        return ""
    return "" if common in ("", os.sep) else common

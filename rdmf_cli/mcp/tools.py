"""The tools of an agent: search, query, cut, library_status."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from rdmf_cli.api.arguments import Time, seconds
from rdmf_cli.api.records import Hit, Moment
from rdmf_cli.api.searcher import Searcher
from rdmf_cli.api.searching import Chosen, Limits, search_library, search_videos
from rdmf_cli.channels.query import Term
from rdmf_cli.errors import RdmfError, UsageError, errors_of
from rdmf_cli.library.library import Library
from rdmf_cli.library.status import status_of
from rdmf_cli.library.work import WorkCallbacks
from rdmf_cli.mcp.reach import Reach
from rdmf_cli.mcp.results import CutResult, QueryResult, SearchResult, StatusResult
from rdmf_cli.moments.types import Record
from rdmf_cli.text import clock

WIDTH = 320  # pixels of a picture
MOST_PICTURES = 6
MOST_MOMENTS = 100
LONGEST_CUT = 600.0  # seconds
END = 0.5  # seconds; if a span ends this much later than the video, the answer has a note

Told = tuple[Record, str, list[bytes]]
"""A result, the result in words, and pictures as JPEG."""


class Tools:
    """Answer the calls of an agent, one at a time; encoder and head are loaded with the first call.

    Args:
        reach: What may be read and written.
        chosen: The options for features.
        loaded: Further arguments of the searcher: head, checkpoint, device.
    """

    def __init__(self, reach: Reach, chosen: Chosen, loaded: dict[str, Any]):
        self.reach = reach
        self._chosen = chosen
        self._loaded = loaded
        self._lock = threading.Lock()

    def search(self, query: str, top_k: int, pictures: bool) -> Told:
        """Search the library, or else all videos of the folders."""
        limits = Limits(top_k=_checked(top_k))
        with self._lock:
            hits, failed = self._hits([Term(query)], limits)
        lines = [
            f"{hit.rank}. {hit.video} {clock(hit.start)} - {clock(hit.end)}, "
            f"relevance {hit.relevance:.2f}" + ("" if hit.convinces else " (does not convince)")
            for hit in hits
        ]
        shown = _pictures(hits) if pictures else []
        result = SearchResult(hits=tuple(hits), failed=tuple(map(str, failed)))
        return result, "\n".join(lines) or "no moments", shown

    def query(
        self, video: str, query: str, top_k: int, part: tuple[Time, Time], pictures: bool
    ) -> Told:
        """Find the moments of one video; `part` is its start and end, None for the whole video."""
        path, (start, end) = self.reach.video(video), _part(*part)
        top_k = _checked(top_k)
        with self._lock:
            (answer,) = self._searcher.ask(path, [query], top_k=top_k, start=start, end=end)
        lines = [f"presence {answer.presence:.2f}"]
        for moment in answer.moments:
            span = f"{clock(moment.start)} - {clock(moment.end)}"
            lines.append(f"{moment.rank}. {span}, score {moment.score:.2f}")
        shown = _pictures(answer.moments) if pictures else []
        result = QueryResult(
            video=answer.video,
            query=answer.query,
            duration=answer.duration,
            presence=answer.presence,
            moments=answer.moments,
            warnings=answer.warnings,
        )
        return result, "\n".join(lines), shown

    def cut(self, video: str, start: float | str, end: float | str) -> Told:
        """Write a span of a video as a video file in the folder for cuts."""
        from rdmf_cli.handover.cutter import write_cut
        from rdmf_cli.handover.cutting import span_of
        from rdmf_cli.handover.stills import scanned

        path = self.reach.video(video)
        if self.reach.cuts is None:
            raise UsageError("this server may not write", todo="start it with rdmf mcp --cuts DIR")
        start, end = seconds(start, "start") or 0.0, seconds(end, "end") or 0.0
        if not 0 <= start < end <= start + LONGEST_CUT:
            todo = f"choose a start before the end, and at most {LONGEST_CUT:g} seconds"
            raise UsageError("is not a span that can be cut", f"{start:g} - {end:g} s", todo)
        with self._lock, errors_of(path):
            known = scanned(path)
            last = span_of(known, start, float("1e9")).player_times[1]
            if start >= last:
                what = f"the span begins at {start:g} s, and the video ends at {last:g} s"
                raise UsageError(what, path, "choose a span inside the video")
            late = [f"the video ends at {last:g} s"] if end > last + END else []
            name = f"{path.stem}_{start:.2f}-{min(end, last):.2f}.mp4"
            self.reach.cuts.mkdir(parents=True, exist_ok=True)
            cut = write_cut(self.reach.cuts / name, span_of(known, start, end))
        notes = (*late, *cut.notes)
        result = CutResult(path=str(cut.path), start=cut.start, end=cut.end, notes=notes)
        return result, str(cut.path), []

    def library_status(self) -> Told:
        """Describe what may be read, and the library."""
        status = None
        if self.reach.library is not None:
            with self._lock, Library.open(self.reach.library) as library:
                status = status_of(library)
        result = StatusResult(
            folders=tuple(map(str, self.reach.folders)),
            videos=sum(not isinstance(video, RdmfError) for video in self.reach.videos()),
            cuts=None if self.reach.cuts is None else str(self.reach.cuts),
            library=status,
        )
        return result, result.model_dump_json(by_alias=True), []

    @cached_property
    def _searcher(self) -> Searcher:
        if self.reach.library is None:
            return Searcher(**self._chosen.alone(), **self._loaded)
        with Library.open(self.reach.library) as library:
            return Searcher(**self._chosen.in_library(library), **self._loaded)

    def _hits(self, terms: Sequence[Term], limits: Limits) -> tuple[list[Hit], list[RdmfError]]:
        failed: list[RdmfError] = []
        if self.reach.library is not None:
            with Library.open(self.reach.library) as library:
                hits = search_library(self._searcher, library, terms, limits, failed.append)
                return hits, failed
        callbacks = WorkCallbacks(failed.append)
        videos = self.reach.videos()
        return search_videos(self._searcher, videos, terms, limits, callbacks), failed


def _part(start: Time, end: Time) -> tuple[float | None, float | None]:
    """Read the start and the end of a part, in seconds; agents write "" for None."""
    first, last = seconds(start or None, "start"), seconds(end or None, "end")
    if last is not None and last <= (first or 0.0):
        raise UsageError(f"must be after start ({first or 0.0:g} s)", f"end ({last:g} s)")
    return first, last


def _checked(top_k: int) -> int:
    if not 1 <= top_k <= MOST_MOMENTS:
        raise UsageError(f"must be from 1 to {MOST_MOMENTS}, not {top_k}", "top_k")
    return top_k


def _pictures(moments: Iterable[Moment | Hit]) -> list[bytes]:
    """Return the middle frame of each moment as JPEG; a video that cannot be read has none."""
    import numpy as np

    from rdmf_cli.handover.stills import jpeg

    found = []
    for moment in [*moments][:MOST_PICTURES]:
        try:
            found.append(jpeg(np.asarray(moment.frame(width=WIDTH))))
        except RdmfError:
            continue
    return found

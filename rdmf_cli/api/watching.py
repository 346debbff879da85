"""Watch folders: a library follows its folders and reports each new hit once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rdmf_cli.api.hook import Hook
from rdmf_cli.api.indexing import Workers, extraction_of, refresh_library
from rdmf_cli.api.searcher import Searcher
from rdmf_cli.api.searching import Limits, encode_query, hits_of
from rdmf_cli.channels.query import QueryFeatures, Term, described
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.extraction import stored_features
from rdmf_cli.features.said import Said
from rdmf_cli.library.catalogue import Root, Video
from rdmf_cli.library.indexing import Refreshed, refresh_files
from rdmf_cli.library.library import Library
from rdmf_cli.library.opening import OpenVideos
from rdmf_cli.library.types import Hit
from rdmf_cli.library.watching import Pending, changes, is_still_written
from rdmf_cli.library.work import OnError, OnWarning, ShowWork
from rdmf_cli.text import valid_text
from rdmf_cli.video.folder import NoVideosError

TOLD = "told"
"""The name in the catalogue that holds which hits were reported."""

MOST_HITS = 10  # the largest number of hits of one query in one video
MOST_TOLD = 10_000  # the largest number of reported hits to remember; the latest stay


def _ignore(*_: Any) -> None:
    pass


@dataclass
class Listeners:
    """Hold the functions to call while a library is watched.

    Attributes:
        refreshed: A function that is called with the indexed videos, each time that videos were
            indexed.
        hit: A function that is called with each new hit.
        error: A function that is called with the error of a video, or of a command that was run for
            a hit.
        warning: A function that is called with the path and the warnings of a video.
        show: A function that is called with the progress of the work.
        notify: A function that is called with a line if rdmf waits for another process.
    """

    refreshed: Callable[[Refreshed], None] = _ignore
    hit: Callable[[Hit], None] = _ignore
    error: OnError = _ignore
    hook_error: OnError = _ignore
    warning: OnWarning = _ignore
    show: ShowWork = _ignore
    notify: Callable[[str], None] = _ignore


@dataclass
class Watch:
    """Keep a library up to date with its folders until it is interrupted.

    The library on disk is complete at every moment, so the process may end at any time.

    Attributes:
        searcher: The searcher that extracts and searches.
        library: The library.
        roots: The files and folders.
        queries: The queries to search in every video that is new or has changed.
        hook: The command that is run for each hit.
        jobs: Number of videos that are extracted at once.
        listeners: The functions to call during the work.
    """

    searcher: Searcher
    library: Library
    roots: Sequence[Root]
    queries: Sequence[str] = ()
    hook: Hook | None = None
    jobs: int = 1
    listeners: Listeners = field(default_factory=Listeners)
    pending: Pending = field(default_factory=Pending)

    def run(self) -> None:
        """Index the present videos, then each change, until KeyboardInterrupt.

        Raises:
            MissingExtra: watchfiles is not installed.
            UsageError: The library was made with another encoder, or a query is empty.
        """
        asked = [(query, self._encoded(query)) for query in self.queries]
        begun = False
        for changed in changes(self.roots):  # the first set of changes: watching has begun
            for path in changed.videos:
                self.pending.add(path)
            if not begun:
                self._done(self._refresh_all(), asked)
                begun = True
                continue
            ready = self.pending.ready()
            growing = {str(file.path) for file in ready if file.growing}
            if ready or changed.lost:
                self._done(self._refresh([file.path for file in ready]), asked, growing)

    def _encoded(self, query: str) -> QueryFeatures:
        return encode_query(self.searcher, [Term(query)])

    def _refresh_all(self) -> Refreshed:
        with self.library.writing(self.listeners.notify):
            return refresh_library(
                self.searcher,
                self.library,
                self.roots,
                Workers(self.jobs),
                show=self.listeners.show,
                on_warning=self.listeners.warning,
            )

    def _refresh(self, files: Sequence[Path]) -> Refreshed:
        done = Refreshed()
        how = replace(
            extraction_of(self.searcher, self.library),
            jobs=self.jobs,
            show=self.listeners.show,
            on_warning=self.listeners.warning,
        )
        with self.library.writing(self.listeners.notify):
            refresh_files(self.library, files, how, done)
        return done

    def _done(
        self,
        done: Refreshed,
        asked: Sequence[tuple[str, QueryFeatures]],
        growing: Iterable[str] = (),
    ) -> None:
        """Report the work, without errors in files that are still being written.

        rdmf reads such a file again later.
        """
        for error in done.failed:
            if isinstance(error, NoVideosError):
                continue  # videos may come later
            file = Path(str(error.subject))
            if file.is_file() and (str(file) in growing or is_still_written(file)):
                self.pending.add(file)
            else:
                self.listeners.error(error)
        if done.indexed or done.missing:
            self.listeners.refreshed(done)
        for path in done.indexed:
            self._look_for(path, asked)

    def _look_for(self, path: str, asked: Sequence[tuple[str, QueryFeatures]]) -> None:
        video = self.library.catalogue.find(path)
        features = None if video is None else stored_features(self.library.store, video.key)
        if video is None or features is None:
            return
        said = Said(self.library.catalogue.lines(video.number))
        opened = OpenVideos([video.path], [features], [said])
        store = self.library.store
        limits = Limits(top_k=MOST_HITS, per_video=MOST_HITS, candidates=None)
        for query, encoded in asked:
            name = described([Term(query)])
            for hit in hits_of(self.searcher, opened, encoded, name, limits, store):
                if hit.convinces and self._is_new(hit, video):
                    self._tell(hit)

    def _tell(self, hit: Hit) -> None:
        self.listeners.hit(hit)
        if self.hook is None:
            return
        try:
            self.hook.run(hit)
        except RdmfError as error:
            self.listeners.hook_error(error)

    def _is_new(self, hit: Hit, video: Video) -> bool:
        """Return whether a hit is new, and record that the hit was reported.

        Two hits are the same if they overlap, have the same query, and have the same content or
        the same file. So a hit is reported only once, although rdmf searches a file again after it
        has grown or was renamed.
        """
        told = json.loads(self.library.catalogue.fact(TOLD) or "[]")
        for query, content, path, start, end in told:
            same = query == hit.query and (content == video.content or path == hit.video)
            if same and min(end, hit.end) > max(start, hit.start):
                return False
        told.append([hit.query, video.content, valid_text(hit.video), hit.start, hit.end])
        self.library.catalogue.keep_fact(TOLD, json.dumps(told[-MOST_TOLD:]))
        return True

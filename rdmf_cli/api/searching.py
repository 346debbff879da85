"""search: one query on many videos, or on a library."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from rdmf_cli.api.arguments import (
    ClipLength,
    Count,
    Device,
    FilePath,
    Levels,
    Share,
    checked,
    mixtures_of,
)
from rdmf_cli.api.records import Hit
from rdmf_cli.api.searcher import Searcher
from rdmf_cli.channels.query import QueryFeatures, Term, described, query_features
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.features import FeatureStore
from rdmf_cli.features import extract as extract_features
from rdmf_cli.features.said import NONE, encoded, said_in
from rdmf_cli.library import search as across
from rdmf_cli.library.library import Library, library_folder
from rdmf_cli.library.listing import list_videos
from rdmf_cli.library.opening import open_videos
from rdmf_cli.library.work import OnError, ShowWork, WorkCallbacks
from rdmf_cli.moments.types import later
from rdmf_cli.text import valid_text

Candidates = Annotated[int, Field(ge=1)] | None


@checked
def search(
    paths: Sequence[FilePath],
    sentence: str,
    *,
    library: str | None = None,
    top_k: Count = 10,
    per_video: Count = 1,
    min_presence: Share = 0.0,
    candidates: Candidates = across.CANDIDATES,
    exclude: Sequence[str] = (),
    clip_length: ClipLength | None = None,
    encoder: str = "auto",
    head: str = "auto",
    checkpoint: FilePath | None = None,
    device: Device = "auto",
    decoder: str = "auto",
    sampling: str | None = None,
    still: Levels | None = None,
    cache: bool = True,
    subtitles: str = "auto",
    transcribe: str | None = None,
    name_time: str | None = None,
    on_error: OnError | None = None,
    show: ShowWork | None = None,
    progress: bool = False,
) -> list[Hit]:
    """Search many videos at once, and list the moments that show a sentence, best first.

    >>> for hit in search(["footage/"], "a dog runs on the beach"):  # doctest: +SKIP
    ...     print(hit.relevance, hit.video, hit.start, hit.end)

    Args:
        paths: Videos, and folders with all the videos below them; no paths if `library` is given.
        sentence: What to look for, in words.
        library: A library that `index` made, by its name or folder.
        top_k: The largest number of hits.
        per_video: The largest number of hits in one video.
        min_presence: Leave out hits with a lower presence, 0 to 1.
        candidates: Number of videos that the head reads: the videos with the clips most similar to
            the query. At least `top_k` videos are read. None: all.
        exclude: Patterns of files and folders to leave out, see `library.listing.list_videos`.
        clip_length: Seconds per clip; None: 2, or the clip length of the library.
        encoder: The same as in `query`; with "auto", the encoder of the library if there is a
            library.
        head: "auto", "learned" or "training-free".
        checkpoint: A head of your own: a file of rates, an exported head, or a trained head's
            folder.
        device: "auto", "cpu", "cuda", "cuda:1", "mps": the device of open_clip.
        decoder: "auto", "pyav", "ffmpeg" or "decord".
        sampling: The same as in `query`; None: "exact", or the sampling of the library.
        still: The same as in `query`; None: 0, or the value of the library.
        cache: False: features are neither read from the cache nor written to the cache.
        subtitles: "auto": what is said is searched, too (in a subtitle file of the same stem beside
            a video, else in a track inside the video); "none"; or the subtitle file of a single
            video.
        transcribe: The same as in `query`.
        name_time: The same as in `Searcher`; None: the `name_time` of the library, if any.
        on_error: A function that is called with the error of a video; then the search continues
            with the next video. None: the first error is raised.
        show: A function that is called with the progress of the extraction.
        progress: Show the progress of the extraction as a bar, below the cell of a notebook or in
            the terminal; not together with `show`.

    Returns:
        The hits, the most relevant first, including hits that are not convincing (see
        `Hit.convinces`).

    Raises:
        UsageError: The query is empty, the library does not exist, or has another encoder.
        RdmfError: A video cannot be read, and there is no `on_error`.
    """
    if progress and show is not None:
        raise UsageError("cannot be used together with show", "progress", "choose one of them")
    limits = Limits(top_k, per_video, min_presence, candidates)
    made = partial(
        Searcher,
        head=head,
        checkpoint=checkpoint,
        device=device,
        cache=cache,
        subtitles=subtitles,
        transcribe=transcribe,
    )
    chosen = Chosen(encoder, clip_length, decoder, sampling, still, name_time)
    terms = [Term(sentence)]
    if library is not None:
        with Library.open(library_folder(library)) as opened:
            searcher = made(**chosen.in_library(opened))
            return search_library(searcher, opened, terms, limits, on_error)
    videos = list_videos(paths, exclude)
    searcher = made(**chosen.alone())
    with progress_bar() if progress else nullcontext(show) as shown:
        callbacks = WorkCallbacks(on_error or raise_error, show=shown)
        return search_videos(searcher, videos, terms, limits, callbacks)


Limits = across.Limits


@dataclass(frozen=True)
class Chosen:
    """Hold the caller's options for features; a library decides the options "auto" and None."""

    encoder: str = "auto"
    clip_length: float | None = None
    decoder: str = "auto"
    sampling: str | None = None
    still: float | None = None
    name_time: str | None = None

    def alone(self) -> dict[str, Any]:
        """Return the arguments of a searcher on videos."""
        return {
            "encoder": self.encoder,
            "clip_length": 2.0 if self.clip_length is None else self.clip_length,
            "decoder": self.decoder,
            "sampling": "exact" if self.sampling is None else self.sampling,
            "still": 0.0 if self.still is None else self.still,
            "name_time": self.name_time,
        }

    def in_library(self, library: Library) -> dict[str, Any]:
        """Return the arguments of a searcher on a library."""
        chosen, kept = self.alone(), {**library.settings(), "name_time": library.name_time}
        unset = [name for name in chosen if getattr(self, name) in ("auto", None)]
        return {**chosen, **{name: kept[name] for name in unset if name in kept}}


def search_videos(
    searcher: Searcher,
    videos: Iterable[Path | RdmfError],
    terms: Sequence[Term],
    limits: Limits,
    callbacks: WorkCallbacks,
) -> list[Hit]:
    """Search videos; extract the videos that are not in the cache; see `search`."""
    query = encode_query(searcher, terms)
    extract = partial(
        extract_features,
        encoder=searcher.loaded_encoder,
        clips=searcher.selection(),
        store=searcher.store,
        notify=searcher.notify,
    )
    hear = partial(
        said_in,
        subtitles=searcher.subtitles,
        store=searcher.store,
        transcribe=searcher.transcribe,
    )
    opened = open_videos(videos, extract, callbacks, hear)
    return hits_of(searcher, opened, query, described(terms), limits)


def search_library(
    searcher: Searcher,
    library: Library,
    terms: Sequence[Term],
    limits: Limits,
    on_error: OnError | None = None,
) -> list[Hit]:
    """Search a library; nothing is decoded. Videos with damaged features go to `on_error`.

    Raises:
        UsageError: The library was made with another encoder.
        RdmfError: Features in the library are damaged, and there is no `on_error`.
    """
    library.require(settings_of(searcher))
    query = encode_query(searcher, terms)
    found = library.collection(on_error)
    return hits_of(searcher, found, query, described(terms), limits, library.store)


def settings_of(searcher: Searcher) -> dict[str, object]:
    """Return the settings of a searcher that decide the features, for storage in a library."""
    return {
        "encoder": searcher.loaded_encoder.name,
        "encoder_fingerprint": searcher.loaded_encoder.fingerprint,
        "clip_length": searcher.clip_length,
        "decoder": searcher.decoder,
        "sampling": searcher.sampling,
        "still": searcher.still,
    }


def encode_query(searcher: Searcher, terms: Sequence[Term]) -> QueryFeatures:
    """Encode a query with the searcher's encoder. Raise UsageError if a part has no words."""
    (checked_terms,) = mixtures_of([terms])
    return query_features(checked_terms, searcher.loaded_encoder, searcher.backgrounds)


def hits_of(
    searcher: Searcher,
    videos: across.Collection,
    query: QueryFeatures,
    described: str,
    limits: Limits,
    store: FeatureStore | None = None,
) -> list[Hit]:
    """Search opened videos for an encoded query; see `search`.

    Args:
        searcher: The searcher; its head reads the videos.
        videos: The videos.
        query: The encoded query.
        described: The query in words.
        limits: How many videos are read and how many hits are listed.
        store: The store for the features of subtitle lines; None: the searcher's cache.
    """
    encode = None
    if searcher.subtitles != NONE:
        encode = partial(encoded, encoder=searcher.loaded_encoder, store=store or searcher.store)
    found = across.search(videos, query, searcher.loaded_head, limits, encode)
    return [
        Hit(
            rank=rank,
            video=valid_text(one.video),
            query=described,
            start=one.start,
            end=one.end,
            relevance=one.relevance,
            convinces=one.convinces,
            presence=one.presence,
            score=one.score,
            duration=one.duration,
            said=one.said,
            recorded_at=later(searcher.recorded(Path(one.video), one.recorded), one.start),
            missing=not os.path.exists(one.video),
            clip_length=searcher.clip_length,
            encoder=searcher.loaded_encoder.name,
            head=searcher.loaded_head.name,
        )
        for rank, one in enumerate(found, 1)
    ]


def progress_bar() -> AbstractContextManager[ShowWork]:
    """Open a bar in the notebook or in the terminal."""
    from rdmf_cli.outputs.work_bar import work_progress

    return work_progress()


def raise_error(error: RdmfError) -> None:
    """Raise an error; used as `on_error` if the first error must end the search."""
    raise error

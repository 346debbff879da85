"""index: build a library, and keep it up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rdmf_cli.api.arguments import ClipLength, Count, Device, FilePath, Levels, checked
from rdmf_cli.api.searcher import Searcher
from rdmf_cli.api.searching import Chosen, settings_of
from rdmf_cli.features import FeatureStore, VideoFeatures
from rdmf_cli.features import extract as extract_features
from rdmf_cli.features.extraction import ClipProgress, feature_key
from rdmf_cli.features.said import Said, encoded, said_in
from rdmf_cli.library.catalogue import Root
from rdmf_cli.library.indexing import Extraction, Refreshed, absolute_root, refresh
from rdmf_cli.library.library import DEFAULT, Library, library_folder
from rdmf_cli.library.work import OnWarning, ShowWork


@checked
def index(
    paths: Sequence[FilePath] = (),
    *,
    library: str = DEFAULT,
    exclude: Sequence[str] = (),
    jobs: Count = 1,
    clip_length: ClipLength | None = None,
    encoder: str = "auto",
    device: Device = "auto",
    decoder: str = "auto",
    sampling: str | None = None,
    still: Levels | None = None,
    name_time: str | None = None,
    show: ShowWork | None = None,
    notify: Callable[[str], None] | None = None,
) -> Refreshed:
    """Extract videos into a library for `search`; videos in the library are not extracted again.

    >>> index(["footage/"], library="family films").indexed  # doctest: +SKIP

    Args:
        paths: Videos, and folders with all the videos below them. No paths: the videos and folders
            that were indexed before.
        library: The library, by its name or folder; a new library is made if there is none.
        exclude: Patterns of files and folders to leave out, see `library.listing.list_videos`.
        jobs: Number of videos that are extracted at once.
        clip_length: Seconds per clip; None: the clip length of the library, or 2.
        encoder: The same as in `query`; with "auto", the encoder of the library if there is a
            library.
        device: "auto", "cpu", "cuda", "cuda:1", "mps": the device of open_clip.
        decoder: "auto", "pyav", "ffmpeg" or "decord".
        sampling: The same as in `query`; None: the sampling of the library, or "exact".
        still: The same as in `query`; None: the value of the library, or 0.
        name_time: How the names of files tell when a recording began, see `Searcher`; it is stored
            in the library. None: as before.
        show: A function that is called with the progress of the extraction.
        notify: A function that is called with a line if rdmf waits for another process.

    Returns:
        The videos that were indexed, unchanged or missing, and one error per failed video.

    Raises:
        UsageError: The library has another encoder or clip length; or no path is given, and the
            library does not exist.
        RdmfError: The library cannot be written.
    """
    folder = library_folder(library)
    roots = [absolute_root(path, exclude) for path in paths]
    with Library.make(folder) if roots else Library.open(folder) as opened:
        chosen = Chosen(encoder, clip_length, decoder, sampling, still, name_time)
        with opened.writing(notify):
            searcher = Searcher(device=device, **chosen.in_library(opened))
            roots = roots or opened.catalogue.roots()
            return refresh_library(searcher, opened, roots, jobs=jobs, show=show)


def refresh_library(
    searcher: Searcher,
    library: Library,
    roots: Sequence[Root],
    *,
    jobs: int = 1,
    show: ShowWork | None = None,
    on_warning: OnWarning | None = None,
) -> Refreshed:
    """Bring a library up to date; call this function inside `Library.writing`.

    Raises:
        UsageError: The library was made with another encoder, clip length or decoder.
    """
    library.settle(settings_of(searcher))
    library.keep_name_time(searcher.name_time)
    how = replace(extraction_of(searcher, library), jobs=jobs, show=show, on_warning=on_warning)
    done = refresh(library, roots, how)
    _ = library.collection().index  # made now, so that the first search need not make it
    return done


def extraction_of(searcher: Searcher, library: Library) -> Extraction:
    """Return how the searcher extracts features into a library."""
    encoder, kept = searcher.loaded_encoder, library.store
    selection = searcher.selection()

    def key_of(path: Path) -> dict[str, Any]:
        return feature_key(path, encoder, selection)

    def extract(video: Path, *, progress: ClipProgress | None = None) -> VideoFeatures:
        if searcher.store is not None and video.is_file():
            _copy(searcher.store, kept, key_of(video))
        return extract_features(
            video,
            encoder,
            selection,
            store=kept,
            progress=progress,
            notify=searcher.notify,
        )

    def hear(video: Path) -> Said:
        said = said_in(video, searcher.subtitles, kept, searcher.transcribe)
        encoded(said.lines, encoder, kept)  # made now, so that the first search need not make it
        return said

    return Extraction(extract, key_of, hear=hear)


def _copy(cache: FeatureStore, kept: FeatureStore, key: dict[str, Any]) -> None:
    """Copy from the cache the features that an earlier query extracted."""
    if kept.path(key).is_file() or (entry := cache.load(key)) is None:
        return
    arrays, about = entry
    kept.put(key, arrays.pop("rows"), about, arrays)

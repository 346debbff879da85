"""index: build a library, and keep it up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rdmf_cli.api.arguments import ClipLength, Count, Device, FilePath, Levels, checked
from rdmf_cli.api.searcher import Searcher
from rdmf_cli.api.searching import Chosen, settings_of
from rdmf_cli.features import VideoFeatures
from rdmf_cli.features import extract as extract_features
from rdmf_cli.features.extraction import ClipProgress, feature_key
from rdmf_cli.features.said import Said, encoded, said_in
from rdmf_cli.library.catalogue import Root
from rdmf_cli.library.indexing import Extraction, KeyOf, Refreshed, absolute_root, refresh
from rdmf_cli.library.library import DEFAULT, Library, library_folder
from rdmf_cli.library.work import OnWarning, ShowWork
from rdmf_cli.video.formats import is_list


class Workers(NamedTuple):
    """Where videos are extracted, and how many at once.

    Attributes:
        jobs: Number of videos that are extracted at once in this process.
        ray: Address of a Ray cluster, or "auto"; None: extract in this process.
    """

    jobs: int = 1
    ray: str | None = None


HERE = Workers()


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
    ray: str | None = None,
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
        ray: Extract on a Ray cluster: its address "HOST:PORT", or "auto" for the cluster that this
            machine belongs to; then `jobs` has no effect. None: extract in this process.
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
            return refresh_library(searcher, opened, roots, Workers(jobs, ray), show=show)


def refresh_library(
    searcher: Searcher,
    library: Library,
    roots: Sequence[Root],
    workers: Workers = HERE,
    show: ShowWork | None = None,
    on_warning: OnWarning | None = None,
) -> Refreshed:
    """Bring a library up to date; call this function inside `Library.writing`.

    Args:
        searcher: The searcher that extracts.
        library: The library.
        roots: Files and folders to index.
        workers: Where videos are extracted, and how many at once.
        show: A function that is called with the progress of the work.
        on_warning: A function that is called with the path and the warnings of a video.

    Raises:
        UsageError: The library was made with another encoder, clip length or decoder.
        RdmfError: There is no cluster at the address.
    """
    library.settle(settings_of(searcher))
    library.keep_name_time(searcher.name_time)
    how = replace(extraction_of(searcher, library), show=show, on_warning=on_warning)
    with _extraction_by(workers, how, searcher, library) as how:
        done = refresh(library, roots, how)
    _ = library.collection().index  # made now, so that the first search need not make it
    return done


@contextmanager
def _extraction_by(
    workers: Workers, how: Extraction, searcher: Searcher, library: Library
) -> Iterator[Extraction]:
    """Make an extraction run in this process, or on a cluster."""
    if workers.ray is None:
        yield replace(how, jobs=workers.jobs)
        return
    from rdmf_cli.library.cluster import ClusterExtract, connected

    encoder, clips = searcher.loaded_encoder.name, searcher.selection()
    with connected(workers.ray, searcher.device) as cluster:
        remote = ClusterExtract(cluster, library.store, encoder, how.key_of, clips)

        def extract(video: Path, *, progress: ClipProgress | None = None) -> VideoFeatures:
            _copy_from_cache(searcher, library, how.key_of, video)
            if is_list(video):  # its key does not cover the files that it lists
                return how.extract(video, progress=progress)
            return remote(video, progress=progress)

        yield replace(how, extract=extract, jobs=cluster.videos_at_once)


def extraction_of(searcher: Searcher, library: Library) -> Extraction:
    """Return how the searcher extracts features into a library."""
    encoder, kept = searcher.loaded_encoder, library.store
    selection = searcher.selection()

    def key_of(path: Path) -> dict[str, Any]:
        return feature_key(path, encoder, selection)

    def extract(video: Path, *, progress: ClipProgress | None = None) -> VideoFeatures:
        _copy_from_cache(searcher, library, key_of, video)
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


def _copy_from_cache(searcher: Searcher, library: Library, key_of: KeyOf, video: Path) -> None:
    """Copy from the cache the features that an earlier query extracted, if there are any."""
    if searcher.store is None or not video.is_file():
        return
    key = key_of(video)
    if library.store.path(key).is_file() or (entry := searcher.store.load(key)) is None:
        return
    arrays, about = entry
    library.store.put(key, arrays.pop("rows"), about, arrays)

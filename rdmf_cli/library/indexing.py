"""Index a library: extract the features of new and changed videos, and mark missing videos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rdmf_cli.errors import RdmfError, errors_of
from rdmf_cli.features import FeatureStore, VideoFeatures
from rdmf_cli.features.extraction import NOT_CACHED, stored_features
from rdmf_cli.features.said import Said
from rdmf_cli.library.catalogue import Root, State, Video
from rdmf_cli.library.library import Library
from rdmf_cli.library.listing import list_videos
from rdmf_cli.library.opening import Hear
from rdmf_cli.library.work import Extract, OnWarning, ShowWork, extract_all


@dataclass
class Refreshed:
    """The result of `refresh`, by path.

    Attributes:
        indexed: Videos with new features.
        unchanged: Videos that did not need new features.
        missing: Videos that were removed: their files do not exist any more.
        failed: One error per video that cannot be indexed.
    """

    indexed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failed: list[RdmfError] = field(default_factory=list)


KeyOf = Callable[[Path], dict[str, object]]


@dataclass(frozen=True)
class Extraction:
    """How features are extracted into a library.

    Attributes:
        extract: Function that extracts the features of a video into the library's store.
        key_of: Function that returns the key of these features.
        jobs: Number of videos to extract at the same time.
        show: A function that is called with the progress of the work.
        on_warning: A function that is called with the path and the warnings of a video.
        hear: Function that returns what is said in a video; None: do not store what is said.
    """

    extract: Extract
    key_of: KeyOf
    jobs: int = 1
    show: ShowWork | None = None
    on_warning: OnWarning | None = None
    hear: Hear | None = None


def refresh(library: Library, roots: Sequence[Root], how: Extraction) -> Refreshed:
    """Update a library from the files on disk; call this inside `Library.writing`.

    Args:
        library: The library.
        roots: Files and folders to index, with excluded patterns.
        how: How features are extracted.
    """
    done = Refreshed()
    with library.catalogue.change():
        for root in roots:
            if os.path.lexists(root.path):
                library.catalogue.keep_root(root)
    refresh_files(library, _listed(roots, done.failed), how, done)
    return done


def refresh_files(
    library: Library, files: Iterable[Path], how: Extraction, done: Refreshed
) -> None:
    """Index files that are new or have changed, and mark missing ones.

    Args:
        library: The library, locked by `Library.writing`.
        files: Absolute paths.
        how: How features are extracted.
        done: A record to which the function adds its result.
    """
    wanted: list[Path] = []
    for path in files:
        known = library.catalogue.find(str(path))
        if known is not None and _is_current(library.store, known):
            done.unchanged.append(str(path))
        else:
            wanted.append(path)
    _index(library, wanted, how, done)
    _keep_all_speech(library, how, done)
    _mark_missing(library, done)


def _index(library: Library, wanted: Sequence[Path], how: Extraction, done: Refreshed) -> None:
    before = {path: _looked_at(path) for path in wanted}
    for path, outcome in extract_all(wanted, how.extract, jobs=how.jobs, show=how.show):
        if isinstance(outcome, RdmfError):
            _keep_failure(library, path, before[path], outcome)
            done.failed.append(outcome)
            continue
        unstored, warnings = _unstored(outcome.warnings)
        if warnings and how.on_warning:
            how.on_warning(path, warnings)
        try:
            if unstored:
                raise RdmfError(
                    unstored, path, "free some space on the disk, and run the command again"
                )
            video = _indexed(library.store, path, before[path], how.key_of(path), outcome)
        except RdmfError as error:
            done.failed.append(error)
            continue
        with library.catalogue.change():
            library.catalogue.keep(video)
        done.indexed.append(str(path))


def absolute_root(path: str | os.PathLike[str], exclude: Iterable[str]) -> Root:
    """Return a path to index as an absolute path, which is valid in any working directory."""
    return Root(os.path.abspath(path), tuple(exclude))


def _listed(roots: Sequence[Root], failed: list[RdmfError]) -> list[Path]:
    """Return the absolute path of every video of all roots, without duplicates."""
    found: dict[str, Path] = {}
    for root in roots:
        if not os.path.lexists(root.path):
            todo = "check its name; its videos stay in the library and are marked as missing"
            failed.append(RdmfError("no such file or folder", root.path, todo))
            continue
        for video in list_videos([root.path], root.exclude):
            if isinstance(video, RdmfError):
                failed.append(video)
            else:
                found.setdefault(os.path.realpath(video), video)
    return list(found.values())


def _looked_at(path: Path) -> tuple[int | None, int | None]:
    """Return the size and time of a file before it is read, so that later growth is noticed."""
    try:
        found = path.stat()
    except OSError:
        return None, None
    return found.st_size, found.st_mtime_ns


def _is_current(store: FeatureStore, known: Video) -> bool:
    """Return whether the file is unchanged, and its features are in the store and not damaged."""
    if known.state is not State.indexed or not known.clips:
        return False
    same = (known.bytes, known.modified) == _looked_at(Path(known.path))
    return same and stored_features(store, known.key) is not None


def _unstored(warnings: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Separate the warning that features could not be written, which is an error in a library."""
    lost = [warning for warning in warnings if warning.startswith(NOT_CACHED)]
    what = lost[0].replace("be cached", "be stored") if lost else ""
    return what, tuple(warning for warning in warnings if warning not in lost)


def _indexed(
    store: FeatureStore,
    path: Path,
    looked_at: tuple[int | None, int | None],
    key: dict[str, object],
    features: VideoFeatures,
) -> Video:
    """Return the catalogue entry of a video, after a check that its features are on disk.

    Raises:
        RdmfError: The features are not on the disk, because the disk is full or the file changed
            meanwhile.
    """
    if not store.path(key).is_file():
        what = "the file has changed while it was read"
        todo = "run the command again when the file is complete"
        raise RdmfError(what, path, todo)
    size, modified = looked_at
    return Video(
        str(path),
        State.indexed,
        bytes=size,
        modified=modified,
        content=str(key["content"]),
        duration=features.duration,
        clips=len(features.rows),
        key=key,
    )


def _keep_failure(
    library: Library, path: Path, looked_at: tuple[int | None, int | None], error: RdmfError
) -> None:
    """Mark a video as failed, without features: earlier features no longer fit the file."""
    with library.catalogue.change():
        size, modified = looked_at
        failed = Video(str(path), State.failed, f"{error.what}", size, modified)
        library.catalogue.keep(failed)


def _keep_all_speech(library: Library, how: Extraction, done: Refreshed) -> None:
    """Store what is said in all videos that were indexed or are unchanged."""
    if how.hear is None:
        return
    for name in (*done.indexed, *done.unchanged):
        try:
            with errors_of(name):
                said = how.hear(Path(name))
        except RdmfError as error:
            done.failed.append(error)
            continue
        if said.warnings and how.on_warning:
            how.on_warning(Path(name), said.warnings)
        _keep_speech(library, name, said)


def _keep_speech(library: Library, name: str, said: Said) -> None:
    """Store what is said in a video, if this has changed."""
    video = library.catalogue.find(name)
    if video is not None and library.catalogue.lines(video.number) != said.lines:
        with library.catalogue.change():
            library.catalogue.keep_lines(video.number, said.lines)


def _mark_missing(library: Library, done: Refreshed) -> None:
    """Mark missing videos in the catalogue.

    A missing video leaves the catalogue if it could never be indexed, or if its content is now at
    another path.
    """
    videos = library.videos()
    here = {v.content for v in videos if v.state is State.indexed and os.path.exists(v.path)}
    with library.catalogue.change():
        for video in videos:
            if os.path.exists(video.path):
                continue
            if video.content is None or video.content in here:  # it failed, or it has moved
                library.catalogue.forget(video.path)
                continue
            library.catalogue.keep(replace(video, state=State.missing))
            done.missing.append(video.path)

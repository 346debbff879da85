"""A library: a folder with a catalogue of videos, their features, and an index of all clips.

Features are stored as in the cache, by the content of the file, so a video that was moved or copied
is not decoded again. The catalogue lists a video as indexed only when its features are on disk. So
the catalogue is consistent even if the program is killed, and the next run continues from there.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.features import FeatureStore, VideoFeatures, normalise_rows
from rdmf_cli.features.extraction import stored_features
from rdmf_cli.features.said import Said
from rdmf_cli.folders import data_folder
from rdmf_cli.library.catalogue import Catalogue, State, Video
from rdmf_cli.library.coded import CodedIndex, has_engine, lie_close_together
from rdmf_cli.library.index import Array, ExactIndex, Index
from rdmf_cli.library.segments import Clips, Entry, clips_of
from rdmf_cli.library.work import OnError

CATALOGUE: Final = "catalogue.sqlite"
FEATURES: Final = "features"
LOCK: Final = "lock"
DEFAULT: Final = "default"
NAME: Final = re.compile(r"[\w][\w .-]*")
MOST_EXACT: Final = 400_000  # clips that are compared one by one: 220 hours at 2 s
NO_LIMIT: Final = 1 << 62  # bytes; features of a library are never pruned
NAME_TIME: Final = "name_time"
SETTINGS: Final = ("encoder", "encoder_fingerprint", "clip_length", "decoder", "sampling", "still")
EARLIER: Final = {"sampling": "exact", "still": 0.0}
"""Settings that libraries of earlier versions do not name."""


def library_folder(name: str = DEFAULT) -> Path:
    """Return the folder of a library: a path, or a name in the user's data folder.

    Args:
        name: A path, or the name of a library.

    Raises:
        UsageError: The text can be neither a path nor a name.
    """
    if not NAME.fullmatch(name) and (os.sep in name or "/" in name or name in (".", "..")):
        return Path(name)
    if NAME.fullmatch(name) and os.path.isdir(name):
        return Path(name)
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a library", "--library", "use letters and digits"
        )
    return data_folder() / "libraries" / name


class Library:
    """A library of videos, indexed with one encoder and one clip length.

    >>> with Library.open(library_folder()) as library:
    ...     print(len(library.videos()))
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.store = FeatureStore(folder / FEATURES, limit=NO_LIMIT, keeps_all=True)
        self.catalogue = Catalogue(folder / CATALOGUE)

    @classmethod
    def open(cls, folder: Path) -> Library:
        """Open an existing library.

        Raises:
            UsageError: The folder contains no library.
            RdmfError: The catalogue cannot be used.
        """
        if not (folder / CATALOGUE).is_file():
            raise UsageError("holds no library", folder, "make one: rdmf index FOLDER")
        return cls(folder)

    @classmethod
    def make(cls, folder: Path) -> Library:
        """Open a library, or make a new one.

        Raises:
            UsageError: The folder holds other files.
            RdmfError: The library cannot be made.
        """
        if not (folder / CATALOGUE).is_file():
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                others = set(os.listdir(folder)) - {LOCK, FEATURES}
            except OSError as error:
                what = f"the library cannot be made ({error.strerror})"
                raise RdmfError(what, folder, "choose another folder") from error
            if any(not name.startswith(CATALOGUE) for name in others):
                todo = "name another folder"
                raise UsageError("holds other files and no library", folder, todo)
        return cls(folder)

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exception: object) -> None:
        self.catalogue.close()

    @contextmanager
    def writing(self, notify: Callable[[str], None] | None = None) -> Iterator[None]:
        """Lock the library for writing; wait while another process writes.

        Args:
            notify: A function that is called with a line of text before waiting.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(str(self.folder / LOCK))
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if notify:
                    notify(f"{self.folder}: another process changes this library; waiting for it")
                lock.acquire()
        except (OSError, NotImplementedError) as error:
            what = f"the library cannot be locked ({error})"
            todo = "check its permissions, or choose another --library"
            raise RdmfError(what, self.folder, todo) from error
        try:
            yield
        finally:
            lock.release()

    def settings(self) -> dict[str, Any]:
        """Return how the features are made (see `SETTINGS`); empty: not set yet."""
        kept = self.catalogue.fact("settings")
        return {} if kept is None else {**EARLIER, **json.loads(kept)}

    def settle(self, settings: dict[str, Any]) -> None:
        """Store the settings of a new library, or check the settings of an existing library.

        Raises:
            UsageError: The library was made with another encoder, clip length or decoder.
        """
        self.require(settings)
        if not self.settings():
            self.catalogue.keep_fact("settings", json.dumps(settings))

    def require(self, settings: dict[str, Any]) -> None:
        """Check that the features were made with the given settings.

        Raises:
            UsageError: The features were made with other settings. The error names both settings.
        """
        kept, settings = self.settings(), {**EARLIER, **settings}
        for name in SETTINGS if kept else ():
            if kept[name] != settings[name]:
                raise self._mismatch(name, kept, settings)

    def _mismatch(self, name: str, kept: dict[str, Any], settings: dict[str, Any]) -> UsageError:
        if name == "encoder_fingerprint":
            what = f"this library was made with other weights of the encoder {kept['encoder']}"
            return UsageError(what, self.folder, "index the videos into another --library")
        word = name.replace("_", " ")
        what = f"this library was made with {word} {kept[name]}, not {settings[name]}"
        todo = f"leave out --{name.replace('_', '-')}, or index into another --library"
        return UsageError(what, self.folder, todo)

    @property
    def name_time(self) -> str | None:
        """How the names of the videos tell when they were recorded; None: they do not."""
        return self.catalogue.fact(NAME_TIME)

    def keep_name_time(self, pattern: str | None) -> None:
        """Store how names tell the time of a recording; None: leave it as it is."""
        if pattern is not None and pattern != self.name_time:
            self.catalogue.keep_fact(NAME_TIME, pattern)

    def videos(self) -> list[Video]:
        """Return all videos with their states in the catalogue."""
        return self.catalogue.videos()

    def checked_videos(self) -> list[Video]:
        """Check for changed and missing files; return all videos with their present states."""
        return [_checked(video) for video in self.videos()]

    def prune(self) -> tuple[int, int]:
        """Remove missing and failed videos, and features that belong to no video.

        Returns:
            The number of removed videos, and the number of removed features.
        """
        gone = [v for v in self.checked_videos() if v.state in (State.missing, State.failed)]
        with self.catalogue.change():
            for video in gone:
                self.catalogue.forget(video.path)
        used = {self.store.path(video.key) for video in self.videos() if video.key}
        unused = [entry for entry in self.store.entries() if entry.path not in used]
        for entry in unused:
            entry.path.unlink(missing_ok=True)
        return len(gone), len(unused)

    def collection(self, on_error: OnError | None = None) -> LibraryVideos:
        """Return the videos that can be searched; see `LibraryVideos`."""
        return LibraryVideos(self, on_error)


class LibraryVideos:
    """The `Collection` of the library's videos that have features, without copies.

    Args:
        library: The library.
        on_error: A function that is called with the error of a video that cannot be read; the
            other videos are searched. None: the error is raised.
    """

    def __init__(self, library: Library, on_error: OnError | None = None):
        self._library, self._on_error = library, on_error
        by_key: dict[Path, Video] = {}
        for video in library.videos():
            if video.clips:
                path = library.store.path(video.key)
                known = by_key.get(path)
                if known is None or known.state is State.missing:
                    by_key[path] = video
        self._entries = list(by_key)
        self.videos = [by_key[path] for path in self._entries]

    @property
    def clips(self) -> Sequence[int]:
        """The number of clips of each video."""
        return [video.clips for video in self.videos]

    def path(self, video: int) -> str:
        """Return the path of a video."""
        return self.videos[video].path

    def features(self, video: int) -> VideoFeatures:
        """Return the features of a video.

        Raises:
            RdmfError: The features are missing or damaged.
        """
        known = self.videos[video]
        features = stored_features(self._library.store, known.key)
        if features is None or len(features.rows) != known.clips:
            what = "its features in the library are damaged"
            raise RdmfError(what, known.path, "extract them again: rdmf index")
        return features

    def failed(self, error: RdmfError) -> None:
        """Report the error of a video, or raise it if there is no `on_error`."""
        if self._on_error is None:
            raise error
        self._on_error(error)

    def spoken(self, video: int) -> Said:
        """Return what is said in a video."""
        return Said(self._library.catalogue.lines(self.videos[video].number))

    def saying(self, words: Iterable[str], count: int) -> list[int]:
        """Return the videos that say any of the words, the best match first."""
        numbers = self._library.catalogue.videos_saying(words, count)
        places = {video.number: place for place, video in enumerate(self.videos)}
        return [places[number] for number in numbers if number in places]

    @cached_property
    def index(self) -> Index:
        """The index of all clips, in memory-mapped files: exact, or with codes for many clips.

        Codes are not used if the features lie close together, as those of CLIP do: then the codes
        find only some of the nearest clips.
        """
        coded = sum(self.clips) > MOST_EXACT and has_engine()
        clips = self._clips(coded)
        if coded and not lie_close_together([own.rows for _, own in clips]):
            return CodedIndex((n, own.rows, own.codes) for n, own in clips)
        return ExactIndex((n, own.features) for n, own in clips)

    def _clips(self, coded: bool) -> list[tuple[int, Clips]]:
        """Return the number and clips of each video; leave out videos that cannot be read."""
        numbers = [*range(len(self.videos))]
        while True:
            damaged: dict[int, RdmfError] = {}
            entries = [self._entry(number, damaged) for number in numbers]
            try:
                clips = clips_of(self._library.folder, entries, coded)
                return [*zip(numbers, clips, strict=True)]
            except RdmfError:
                if not damaged:
                    raise
            for number, error in damaged.items():
                self.failed(error)
                numbers.remove(number)

    def _entry(self, video: int, damaged: dict[int, RdmfError]) -> Entry:
        def read() -> Array:
            try:
                return normalise_rows(self.features(video).rows)
            except RdmfError as error:
                damaged[video] = error
                raise

        return Entry(self._entries[video].name, self.videos[video].clips, read)


def _checked(video: Video) -> Video:
    try:
        found = os.stat(video.path)
    except OSError:
        return replace(video, state=State.missing)
    same = (found.st_size, found.st_mtime_ns) == (video.bytes, video.modified)
    if video.state is State.indexed and not same:
        return replace(video, state=State.stale)
    if video.state is State.missing:
        return replace(video, state=State.indexed if same and video.clips else State.stale)
    return video

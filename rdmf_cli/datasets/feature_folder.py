"""Folders of published features: one file per video and stream, one file per query."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import count, takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.array_cache import ArrayCache
from rdmf_cli.datasets.sample import MOST_CLIPS_OFF, Text
from rdmf_cli.datasets.source import Video, Widths, as_text, columns
from rdmf_cli.errors import MissingFileError, RdmfError, UsageError
from rdmf_cli.features.containers import KINDS, LMDB_FILE, Container, open_container
from rdmf_cli.features.files import join_streams, query_of, read_query, read_rows, rows_of
from rdmf_cli.text import counted

OWN_STREAMS = "video"
KNOWN_STREAM = re.compile(
    r"(vid_)?(clip|slowfast|vgg|resnet|c3d|i3d|blip|internvideo2?|video|panns?|clap|audio)"
    r"(_features)?"
)
TEXT_FOLDERS = (
    *("text", "clip_text_features", "clip_text", "txt_clip", "query_features"),
    *("clap_text_features", "llama_text_features", "glove_text_features", "text_features"),
)
ONE_FILE = (".npz", ".npy", ".pt", ".pth", ".h5", ".hdf5")  # suffixes of a file per video or query
VIDEO_FILES = (*((f"{{}}{end}",) for end in ONE_FILE), ("{}_rgb.npy", "{}_opt.npy"))  # last: TVSum
TEXT_FILES = tuple(f"{start}{{}}{end}" for end in ONE_FILE for start in ("qid", ""))
TEXT_NAMES = ("qid{}", "{}")  # names of a query in a file of many queries


class FeatureFolder:
    """A folder of features, of any encoder.

    Videos: `video/<vid>.npz` (key `features`), `.npy`, `.pt` or `.h5`, or one file of all videos
    (`video.h5`, `video.pt`, `video.tar`, `video.lmdb/`, or tar archives in `video/`). Several
    streams are folders inside `video/`, or folders with the names of published features
    (`clip_features/`, `slowfast_features/`, `vid_clip/` …); streams are joined in the order of
    their names. Queries: `text/qid<qid>.npz` or `<qid>.npz`, with the same suffixes, or one file of
    all queries. The folder or file of the queries may have any name in TEXT_FOLDERS.

    Args:
        folder: The folder.
        streams: Inner folders of the streams, in order; None: all folders that are recognised.
        text: Inner folder of the queries; None: the first folder in TEXT_FOLDERS that exists.
        where: The place where such features are published, for error messages.
        memory: In-memory cache; None: a new one.

    Raises:
        RdmfError: The folders do not exist.
    """

    encoder_name: str | None = None

    def __init__(
        self,
        folder: Path,
        *,
        streams: Sequence[str] | None = None,
        text: str | None = None,
        where: str = "",
        memory: ArrayCache | None = None,
    ):
        self._todo = f"extract them, or see {where}" if where else "extract them"
        self._check_is_there(folder)
        self.folder = folder
        self.notes: list[str] = []
        self._streams = _streams(folder) if streams is None else _named(folder, streams)
        self._text = _text_folder(folder) if text is None else _named(folder, [text])[0]
        self._memory = memory or ArrayCache()
        self._widths = Widths()
        self._containers: dict[str, Container | None] = {}
        self._check_folders()
        self.notes += _unread(folder, {*self._streams, self._text})

    def _check_folders(self) -> None:
        if not self._streams or not self._text:
            what = "holds no folders video/ and text/ with features"
            raise MissingFileError(what, self.folder, self._todo)
        for name in (*self._streams, self._text):
            if not (self.folder / name).is_file():
                self._check_is_there(self.folder / name)

    def _container(self, name: str) -> Container | None:
        """Return the file of this name with all videos or queries; None: a folder of files."""
        if name not in self._containers:
            self._containers[name] = open_container(self.folder / name)
        return self._containers[name]

    @property
    def streams(self) -> list[str]:
        """The names of the streams that are read, in order."""
        return list(self._streams)

    def stored(self, stream: str, vid: str) -> tuple[np.ndarray, Path]:
        """Read one stored stream of a video, (L, D), without the cache; return it and its file.

        Raises:
            RdmfError: The stream is missing or cannot be read.
        """
        return tuple(self._read_stream(stream, vid))  # type: ignore[return-value]

    def has_video(self, stream: str, vid: str) -> bool:
        """Return whether there are features of a video in a stream."""
        container = self._container(stream)
        return bool(_files(self.folder / stream, vid)) if container is None else vid in container

    def _check_is_there(self, folder: Path) -> None:
        if not folder.is_dir():
            raise MissingFileError("no such folder of features", folder, self._todo)

    def require(self, annotations: Annotations) -> None:
        """Check that every annotated query, and every annotated video in every stream, has a file.

        Raises:
            RdmfError: Files are missing; the message gives their number.
        """
        vids = list(dict.fromkeys(annotation.vid for annotation in annotations))
        qids = [annotation.qid for annotation in annotations]
        for kind, names in (("vid", vids), ("qid", qids)):
            if outside := [name for name in names if not _stays_inside(name)]:
                what = f"the {kind} {outside[0]!r} names a file outside the folder of features"
                raise RdmfError(
                    what,
                    annotations.path,
                    "use names without .. that do not begin with / or a drive",
                )
        for stream in self._streams:
            lost = [vid for vid in vids if not self.has_video(stream, vid)]
            self._require(lost, len(vids), stream, annotations)
        unread = [qid for qid in qids if not self.has_text(qid)]
        self._require(unread, len(qids), self._text, annotations)

    def _require(
        self, lost: Sequence[object], of: int, folder: str, annotations: Annotations
    ) -> None:
        if not lost:
            return
        is_text = folder == self._text
        kind, pattern = ("queries", TEXT_FILES[0]) if is_text else ("videos", VIDEO_FILES[0][0])
        several = f"{len(lost)} of the {of} {kind} in {annotations.path.name} have none"
        count = several if of > 1 else f"the only one in {annotations.path.name} has none"
        path = self.folder / folder
        if self._container(folder) is None:
            path /= pattern.format(lost[0])
        else:
            count += f", such as {lost[0]}"
        todo = self._todo if len(lost) == of else "extract it"
        raise MissingFileError(f"no such feature file ({count})", path, todo)

    def expected(self, stream: str, vid: str) -> Path:
        """Return the file in which the features of a video are looked for first."""
        if (container := self._container(stream)) is not None:
            return container.path
        return self.folder / stream / VIDEO_FILES[0][0].format(vid)

    def expected_text(self, qid: int | str) -> Path:
        """Return the file in which the features of a query are looked for first."""
        if (container := self._container(self._text)) is not None:
            return container.path
        return self.folder / self._text / TEXT_FILES[0].format(qid)

    def files(self, annotations: Annotations) -> Iterator[Path]:
        """Yield the feature files of the annotated videos and queries, without duplicates."""
        for name in (*self._streams, self._text):
            if (container := self._container(name)) is not None:
                yield container.path / LMDB_FILE if container.path.is_dir() else container.path
        for vid in dict.fromkeys(annotation.vid for annotation in annotations):
            for stream in self._streams:
                if self._container(stream) is None:
                    yield from _files(self.folder / stream, vid)
        for annotation in annotations if self._container(self._text) is None else ():
            if path := self._text_file(annotation.qid):
                yield path

    def video(self, vid: str) -> Video:
        """Read a video: normalise its streams, cut them to the shortest, and concatenate them.

        Raises:
            RdmfError: A file is missing or cannot be read, or the lengths differ too much.
        """
        found = [self._stream(name, vid) for name in self._streams]
        _check_lengths(found)
        widths = {name: s.rows.shape[1] for name, s in zip(self._streams, found, strict=True)}
        rows = join_streams([stream.rows for stream in found])
        return Video(rows, columns(widths), None, found[0].path)

    def _stream(self, name: str, vid: str) -> _Stream:
        stream = self._memory.get((name, vid), lambda: self._read_stream(name, vid))
        self._widths.check(name, stream.rows, stream.path)
        return stream

    def _read_stream(self, name: str, vid: str) -> _Stream:
        if (container := self._container(name)) is not None:
            if vid not in container:
                raise MissingFileError(f"holds no features of {vid}", container.path, self._todo)
            return _Stream(rows_of(container.read(vid)), container.path)
        files = _files(self.folder / name, vid)
        if not files:
            raise MissingFileError("no such feature file", self.expected(name, vid), self._todo)
        return _read_stream(files)

    def text(self, annotation: Annotation) -> Text:
        """Read the features of an annotation's query.

        Raises:
            RdmfError: The file is missing or cannot be read.
        """
        container = self._container(self._text)
        if container is not None:
            name = self._text_name(container, annotation.qid)
            if name is None:
                what = f"holds no features of the query {annotation.qid}"
                raise MissingFileError(what, container.path, self._todo)
            return self._read_entry(container, name)
        path = self._text_file(annotation.qid)
        if path is None:
            file = self.expected_text(annotation.qid)
            raise MissingFileError("no such feature file", file, self._todo)
        return self._read_text(path)

    def paraphrases(self, annotation: Annotation) -> list[Text]:
        """Read `qid<qid>_p0.npz`, `qid<qid>_p1.npz`, …; stop at the first file that is missing."""
        container = self._container(self._text)
        if container is not None:
            own = self._text_name(container, annotation.qid)
            names = () if own is None else (f"{own}_p{number}" for number in count())
            there = takewhile(lambda name: name in container, names)
            return [self._read_entry(container, name) for name in there]
        path = self._text_file(annotation.qid)
        if path is None:
            return []
        stem = path.name.removesuffix(path.suffix)
        others = (path.with_name(f"{stem}_p{number}{path.suffix}") for number in count())
        return [self._read_text(other) for other in takewhile(Path.is_file, others)]

    def has_text(self, qid: int | str) -> bool:
        """Return whether there are features of a query."""
        container = self._container(self._text)
        if container is None:
            return self._text_file(qid) is not None
        return self._text_name(container, qid) is not None

    def _text_file(self, qid: int | str) -> Path | None:
        paths = (self.folder / self._text / name.format(qid) for name in TEXT_FILES)
        return next(filter(_is_file, paths), None)

    @staticmethod
    def _text_name(container: Container, qid: int | str) -> str | None:
        names = (name.format(qid) for name in TEXT_NAMES)
        return next((name for name in names if name in container), None)

    def _read_entry(self, container: Container, name: str) -> Text:
        read = self._memory.get((self._text, name), lambda: query_of(container.read(name)))
        return self._checked_text(*read, container.path)

    def _read_text(self, path: Path) -> Text:
        return self._checked_text(*self._memory.get(path, lambda: read_query(path)), path)

    def _checked_text(self, sentence: np.ndarray | None, words: np.ndarray, path: Path) -> Text:
        self._widths.check("words", words, path)
        self._widths.check("sentence", words[:0, 0] if sentence is None else sentence, path)
        return as_text(sentence, words)


class _Stream(NamedTuple):
    """The stored rows of a stream, and the (first) file of the stream."""

    rows: np.ndarray
    path: Path


def _read_stream(files: Sequence[Path]) -> _Stream:
    """Read a stream; several files, such as RGB and optical flow in TVSum, are concatenated."""
    parts = [_Stream(read_rows(path), path) for path in files]
    _check_lengths(parts)
    clips = min(len(part.rows) for part in parts)
    rows = np.concatenate([part.rows[:clips] for part in parts], axis=1)
    return _Stream(rows, files[0])


def _check_lengths(streams: Sequence[_Stream]) -> None:
    """Check that streams of one video differ by at most one clip, like published streams."""
    by_length = sorted(streams, key=lambda stream: len(stream.rows))
    short, long = by_length[0], by_length[-1]
    if len(long.rows) - len(short.rows) > MOST_CLIPS_OFF:
        what = f"has {counted(len(long.rows), 'clip')}, but {short.path} has {len(short.rows)}"
        raise RdmfError(what, long.path, "extract both with the same clip length")


def _stays_inside(name: object) -> bool:
    """Return whether a file with this name lies inside the folder to which the name is joined."""
    text = str(name)
    rooted = os.path.isabs(text) or os.path.splitdrive(text)[0]
    return not rooted and ".." not in re.split(r"[/\\]", text)


def _is_file(path: Path) -> bool:
    """Return whether a path is a file; return False also for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _files(folder: Path, vid: str) -> list[Path]:
    """Return the files of one stream of a video; empty if there are none."""
    for names in VIDEO_FILES:
        paths = [folder / name.format(vid) for name in names]
        if all(map(_is_file, paths)):
            return paths
    return []


def _streams(folder: Path) -> list[str]:
    """Return the folders of the streams, relative to `folder`, sorted by name."""
    below = _places(folder)
    own = [name for name in below if _stem(name) == OWN_STREAMS]
    tops = own[:1] or [name for name in below if KNOWN_STREAM.fullmatch(_stem(name))]
    return [name for top in tops for name in _leaves(folder, top)]


def _named(folder: Path, names: Sequence[str]) -> list[str]:
    """Check the names of streams and text that a user gives.

    Raises:
        UsageError: There is no such folder or file; the message lists the existing names.
    """
    there = _places(folder)
    there += [f"{top}/{name}" for top in _folders(folder) for name in _folders(folder / top)]
    for name in names:
        if name not in there:
            what = f"there is no {name!r} in {folder}"
            raise UsageError(
                what, "--streams, --text", f"choose from: {', '.join(there) or 'none'}"
            )
    return list(names)


def _places(folder: Path) -> list[str]:
    """Return the names of inner folders and of files with many videos or queries."""
    return sorted({*_folders(folder), *_container_files(folder)})


def _container_files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.suffix.lower() in KINDS]


def _stem(name: str) -> str:
    """Return a name without its suffix, if the suffix is one of files with many entries."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in KINDS else name


def _leaves(folder: Path, top: str) -> list[str]:
    """Return the folders inside a folder (`vgg_features/rgb_features`); if none, the folder."""
    if not (folder / top).is_dir():
        return [top]
    return [f"{top}/{name}" for name in _folders(folder / top)] or [top]


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(
            path.name
            for path in folder.iterdir()
            if path.is_dir() and path.suffix.lower() not in ONE_FILE
        )
    except OSError as error:
        what = f"this folder cannot be listed ({error.strerror})"
        raise RdmfError(what, folder, "check your permission to read it") from error


def _unread(folder: Path, read: set[str]) -> list[str]:
    """Return a note on folders of features that are not read: missing streams cost accuracy."""
    parts = {name.partition("/")[0] for name in read}
    left = [name for name in _places(folder) if name not in parts and _holds_rows(folder / name)]
    if not left:
        return []
    names, used = (
        ", ".join(f"{name}/" if (folder / name).is_dir() else name for name in names)
        for names in (left, sorted(read))
    )
    return [f"{folder}: not read: {names} (features are read from {used})"]


def _holds_rows(folder: Path) -> bool:
    """Return whether a folder, or a folder inside it, holds feature files."""
    if folder.suffix.lower() in KINDS:
        return True
    places = (folder, *(folder / name for name in _folders(folder)))
    return any(path.suffix in ONE_FILE for place in places for path in place.iterdir())


def _text_folder(folder: Path) -> str:
    there = {_stem(name): name for name in reversed(_places(folder))}
    return next((there[name] for name in TEXT_FOLDERS if name in there), "")

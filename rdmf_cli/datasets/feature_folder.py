"""Folders of published features: one file per video and stream, one file per query."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.array_cache import ArrayCache
from rdmf_cli.datasets.sample import MOST_CLIPS_OFF, Text
from rdmf_cli.datasets.source import Video, Widths, as_text, columns
from rdmf_cli.errors import MissingFileError, RdmfError
from rdmf_cli.features.files import join_streams, read_query, read_rows

OWN_STREAMS = "video"
KNOWN_STREAM = re.compile(
    r"(vid_)?(clip|slowfast|vgg|resnet|c3d|i3d|blip|internvideo2?|video)(_features)?"
)
TEXT_FOLDERS = ("text", "clip_text_features", "clip_text", "txt_clip", "query_features")
VIDEO_FILES = (("{}.npz",), ("{}.npy",), ("{}_rgb.npy", "{}_opt.npy"))  # the last in TVSum
TEXT_FILES = ("qid{}.npz", "{}.npz")


class FeatureFolder:
    """A folder of features, of any encoder.

    Videos: `video/<vid>.npz` (key `features`) or `.npy`. Several streams are folders inside
    `video/`, or have the names of published features (`clip_features/`, `slowfast_features/`,
    `vid_clip/` …); they are joined in the order of their names. Queries: `text/qid<qid>.npz` or
    `<qid>.npz`; the folder may have any name in TEXT_FOLDERS.

    Args:
        folder: The folder.
        streams: Folders of the streams inside it, in order; None: all that are recognised.
        text: Folder of the queries inside it; None: the first in TEXT_FOLDERS that exists.
        where: Where such features are published, for errors.
        memory: In-memory cache; None: a new one.

    Raises:
        RdmfError: There are no such folders.
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
        self._streams = _streams(folder) if streams is None else list(streams)
        self._text = _text_folder(folder) if text is None else text
        self._memory = memory or ArrayCache()
        self._widths = Widths()
        self._check_folders()
        self.notes += _unread(folder, {*self._streams, self._text})

    def _check_folders(self) -> None:
        if not self._streams or not self._text:
            what = "holds no folders video/ and text/ with features"
            raise MissingFileError(what, self.folder, self._todo)
        for name in (*self._streams, self._text):
            self._check_is_there(self.folder / name)

    def _check_is_there(self, folder: Path) -> None:
        if not folder.is_dir():
            raise MissingFileError("no such folder of features", folder, self._todo)

    def require(self, annotations: Annotations) -> None:
        """Check that every annotated video (in every stream) and query has a file.

        Raises:
            RdmfError: Files are missing; the error gives their number.
        """
        vids = list(dict.fromkeys(annotation.vid for annotation in annotations))
        qids = [annotation.qid for annotation in annotations]
        for kind, names in (("vid", vids), ("qid", qids)):
            if outside := [name for name in names if not _stays_inside(name)]:
                what = f"the {kind} {outside[0]!r} leads out of the folder of features"
                raise RdmfError(what, annotations.path, "use names without .. and without a root")
        for stream in self._streams:
            lost = [vid for vid in vids if not _files(self.folder / stream, vid)]
            self._require(lost, len(vids), stream, annotations)
        unread = [qid for qid in qids if self._text_file(qid) is None]
        self._require(unread, len(qids), self._text, annotations)

    def _require(
        self, lost: Sequence[object], of: int, folder: str, annotations: Annotations
    ) -> None:
        if not lost:
            return
        is_text = folder == self._text
        kind, pattern = ("queries", TEXT_FILES[0]) if is_text else ("videos", VIDEO_FILES[0][0])
        count = f"{len(lost)} of the {of} {kind} in {annotations.path.name} have none"
        path = self.folder / folder / pattern.format(lost[0])
        raise MissingFileError(f"no such feature file ({count})", path, self._todo)

    def files(self, annotations: Annotations) -> Iterator[Path]:
        """Yield the feature files of the annotated videos and queries, each once."""
        for vid in dict.fromkeys(annotation.vid for annotation in annotations):
            for stream in self._streams:
                yield from _files(self.folder / stream, vid)
        for annotation in annotations:
            if path := self._text_file(annotation.qid):
                yield path

    def video(self, vid: str) -> Video:
        """Read a video: its streams, each normalised, cut to the shortest, concatenated.

        Raises:
            RdmfError: A file is missing or cannot be read, or the lengths differ too much.
        """
        found = [self._stream(name, vid) for name in self._streams]
        _check_lengths(found)
        widths = {name: s.rows.shape[1] for name, s in zip(self._streams, found, strict=True)}
        rows = join_streams([stream.rows for stream in found])
        return Video(rows, columns(widths), None, found[0].path)

    def _stream(self, name: str, vid: str) -> _Stream:
        files = _files(self.folder / name, vid)
        if not files:
            path = self.folder / name / VIDEO_FILES[0][0].format(vid)
            raise MissingFileError("no such feature file", path, self._todo)
        stream = self._memory.get((name, vid), lambda: _read_stream(files))
        self._widths.check(name, stream.rows, stream.path)
        return stream

    def text(self, annotation: Annotation) -> Text:
        """Read the query of an annotation.

        Raises:
            RdmfError: The file is missing or cannot be read.
        """
        path = self._text_file(annotation.qid)
        if path is None:
            path = self.folder / self._text / TEXT_FILES[0].format(annotation.qid)
            raise MissingFileError("no such feature file", path, self._todo)
        return self._read_text(path)

    def paraphrases(self, annotation: Annotation) -> list[Text]:
        """Read `qid<qid>_p0.npz`, `qid<qid>_p1.npz`, … up to the first that does not exist."""
        path = self._text_file(annotation.qid)
        if path is None:
            return []
        texts: list[Text] = []
        for number in count():
            other = path.with_name(f"{path.name.removesuffix('.npz')}_p{number}.npz")
            if not other.is_file():
                return texts
            texts.append(self._read_text(other))
        return texts

    def _text_file(self, qid: int | str) -> Path | None:
        paths = (self.folder / self._text / name.format(qid) for name in TEXT_FILES)
        return next(filter(_is_file, paths), None)

    def _read_text(self, path: Path) -> Text:
        sentence, words = self._memory.get(path, lambda: read_query(path))
        self._widths.check("words", words, path)
        self._widths.check("sentence", words[:0, 0] if sentence is None else sentence, path)
        return as_text(sentence, words)


class _Stream(NamedTuple):
    """Rows as they are stored, and their (first) file."""

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
    """Check that streams of one video differ by at most one clip, as published ones do."""
    by_length = sorted(streams, key=lambda stream: len(stream.rows))
    short, long = by_length[0], by_length[-1]
    if len(long.rows) - len(short.rows) > MOST_CLIPS_OFF:
        what = f"has {len(long.rows)} clips, but {short.path} has {len(short.rows)}"
        raise RdmfError(what, long.path, "extract both with the same clip length")


def _stays_inside(name: object) -> bool:
    """Return whether a file of this name stays inside the folder that it is joined to."""
    text = str(name)
    rooted = os.path.isabs(text) or os.path.splitdrive(text)[0]
    return not rooted and ".." not in re.split(r"[/\\]", text)


def _is_file(path: Path) -> bool:
    """Return whether a path is a file; False, too, for a name that no file can have."""
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
    below = _folders(folder)
    tops = [OWN_STREAMS] if OWN_STREAMS in below else filter(KNOWN_STREAM.fullmatch, below)
    return [name for top in tops for name in _leaves(folder, top)]


def _leaves(folder: Path, top: str) -> list[str]:
    """Return the folders inside a folder (`vgg_features/rgb_features`), or else the folder."""
    return [f"{top}/{name}" for name in _folders(folder / top)] or [top]


def _folders(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        what = f"this folder cannot be listed ({error.strerror})"
        raise RdmfError(what, folder, "check your permission to read it") from error


def _unread(folder: Path, read: set[str]) -> list[str]:
    """Return a note on folders of features that are not read: a missed stream costs accuracy."""
    parts = {name.partition("/")[0] for name in read}
    left = [name for name in _folders(folder) if name not in parts and _holds_rows(folder / name)]
    if not left:
        return []
    names, used = ", ".join(f"{name}/" for name in left), ", ".join(f"{n}/" for n in sorted(read))
    return [f"{folder}: not read: {names} (features are read from {used})"]


def _holds_rows(folder: Path) -> bool:
    """Return whether a folder, or a folder inside it, holds feature files."""
    places = (folder, *(folder / name for name in _folders(folder)))
    return any(path.suffix in (".npz", ".npy") for place in places for path in place.iterdir())


def _text_folder(folder: Path) -> str:
    return next((name for name in TEXT_FOLDERS if (folder / name).is_dir()), "")

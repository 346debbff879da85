"""Folders of the user's own videos: features are extracted once, and then cached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.array_cache import ArrayCache
from rdmf_cli.datasets.sample import Text
from rdmf_cli.datasets.source import Video, as_text
from rdmf_cli.encoders.base import Encoder
from rdmf_cli.errors import MissingFileError, RdmfError, errors_of
from rdmf_cli.features.extraction import Selection, extract
from rdmf_cli.features.files import normalise_rows
from rdmf_cli.features.store import FeatureStore
from rdmf_cli.video.folder import find_videos

NAMES = "name each file as the annotations' vid"


class VideoFolder:
    """A folder of video files named `<vid>`, with any video suffix.

    Args:
        folder: The folder.
        encoder: The encoder of videos and queries.
        clip_length: Length of a clip in seconds.
        decoder: A key of `DECODERS`, or "auto".
        store: The cache of features on disk; None: no cache.
        memory: In-memory cache; None: a new one.
    """

    def __init__(
        self,
        folder: Path,
        encoder: Encoder,
        clip_length: float,
        *,
        decoder: str = "auto",
        store: FeatureStore | None = None,
        memory: ArrayCache | None = None,
    ):
        self.folder = folder
        self.encoder_name: str | None = encoder.name
        self.notes: list[str] = []
        self._encoder = encoder
        self._clip_length = clip_length
        self._decoder = decoder
        self._store = store
        self._memory = memory or ArrayCache()
        self._files = _by_name(find_videos(folder))

    def require(self, annotations: Annotations) -> None:
        """Check that the folder contains exactly one file for each annotated video.

        Raises:
            RdmfError: A video is missing, or two files have its name.
        """
        vids = list(dict.fromkeys(annotation.vid for annotation in annotations))
        lost = [vid for vid in vids if vid not in self._files]
        if lost:
            what = (
                f"holds no video named {lost[0]} ({len(lost)} of the {len(vids)} videos "
                f"in {annotations.path.name} are missing)"
            )
            raise MissingFileError(what, self.folder, NAMES)
        for vid in vids:
            self._file(vid)

    def _file(self, vid: str) -> Path:
        files = self._files.get(vid, [])
        if not files:
            raise MissingFileError(f"holds no video named {vid}", self.folder, NAMES)
        if len(files) > 1:
            what = f"there are two videos of this name, {files[0].name} and {files[1].name}"
            todo = "keep one of them, or write the suffix in the annotations' vid"
            raise RdmfError(what, self.folder / vid, todo)
        return files[0]

    def files(self, annotations: Annotations) -> Iterator[Path]:
        """Yield the files of the annotated videos, without duplicates."""
        yield from map(self._file, dict.fromkeys(annotation.vid for annotation in annotations))

    def video(self, vid: str) -> Video:
        """Return the features of a video; extract them if they are not cached.

        Raises:
            RdmfError: The video is missing or cannot be read.
        """
        path = self._file(vid)
        rows, duration = self._memory.get(("video", vid), lambda: self._extract(path))
        streams = {self._encoder.name: slice(0, self._encoder.size)}
        return Video(normalise_rows(rows), streams, duration, path)

    def _extract(self, path: Path) -> _Extracted:
        with errors_of(path):
            selection = Selection(self._clip_length, self._decoder)
            made = extract(path, self._encoder, selection, store=self._store)
        self.notes += [f"{path.name}: {warning}" for warning in made.warnings]
        return _Extracted(made.rows, made.duration)

    def text(self, annotation: Annotation) -> Text:
        """Return the features of an annotation's query."""
        query = annotation.query
        return as_text(*self._memory.get(("text", query), lambda: self._encode(query)))

    def _encode(self, query: str) -> Text:
        """Return the query's features from the encoder, not normalised."""
        texts = self._encoder.encode_texts([query])
        return Text(texts.rows[0], texts.words[0])

    def paraphrases(self, annotation: Annotation) -> list[Text]:
        """Return an empty list: these datasets have no paraphrases."""
        return []


class _Extracted(NamedTuple):
    rows: np.ndarray  # float16 (L, D), not normalised
    duration: float


def _by_name(paths: list[Path]) -> dict[str, list[Path]]:
    """Return all files by name, and by name without suffix."""
    files: dict[str, list[Path]] = {}
    for path in paths:
        files.setdefault(path.stem, []).append(path)
    return files | {path.name: [path] for path in paths}

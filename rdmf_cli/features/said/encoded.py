"""Lines of speech with their features, kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rdmf_cli.encoders.base import Encoder
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.fingerprint import content_fingerprint
from rdmf_cli.features.said.container import read_container
from rdmf_cli.features.said.files import beside, read_file
from rdmf_cli.features.said.lines import AUTO, NONE, Line, Said
from rdmf_cli.features.said.transcribing import model_fingerprint, transcribed
from rdmf_cli.features.store import FeatureStore
from rdmf_cli.video.formats import is_list

BATCH: Final = 256
"""Number of lines that are encoded at once."""


@dataclass(frozen=True, eq=False)
class SpokenFeatures:
    """The lines that are said in a video, and their features.

    Attributes:
        said: The N lines.
        rows: float16 (N, D) features of the lines, as the encoder returns them.
    """

    said: Said
    rows: np.ndarray


def spoken_features(
    video: Path,
    encoder: Encoder,
    subtitles: str = AUTO,
    store: FeatureStore | None = None,
    transcribe: str | None = None,
) -> SpokenFeatures:
    """Read what is said in a video. Encode every line, or take its features from the cache.

    Args:
        video: The video file.
        encoder: The encoder of the query.
        subtitles: "none"; or "auto": a subtitle file with the same stem beside the video, else a
            text track inside the video; or the path of a subtitle file.
        store: The cache; None: no cache.
        transcribe: A model of faster-whisper for videos for which "auto" finds no subtitles. With
            None such a video has no lines.

    Returns:
        The lines and their features; if "auto" finds no subtitles, there are no lines. If "auto"
        finds a file that cannot be read, the result has a warning.

    Raises:
        RdmfError: The named subtitle file or the video cannot be read.
    """
    said = said_in(video, subtitles, store, transcribe)
    return SpokenFeatures(said, encoded(said.lines, encoder, store))


def said_in(
    video: Path,
    subtitles: str = AUTO,
    store: FeatureStore | None = None,
    transcribe: str | None = None,
) -> Said:
    """Read what is said in a video; see `spoken_features`."""
    if subtitles == NONE:
        return Said()
    if subtitles != AUTO:
        return read_file(Path(subtitles))
    if found := beside(video):
        try:
            return read_file(found)
        except RdmfError as error:
            return Said(warnings=(f"{found.name} beside the video is not used: {error.what}",))
    if is_list(video):  # a list's hash does not cover the files in the list
        return Said()
    kept = None if store is None else _Kept.of(video, store)
    said = _once(kept, {"subtitles in": ""}, lambda: read_container(video))
    if said.lines or transcribe is None:
        return said
    by = {"transcript by": model_fingerprint(transcribe)}
    return _once(kept, by, lambda: transcribed(video, transcribe))


def encoded(lines: Sequence[Line], encoder: Encoder, store: FeatureStore | None) -> np.ndarray:
    """Encode lines, or take their features from the cache: float16 (N, D)."""
    if not lines:
        return np.zeros((0, encoder.size), np.float16)
    texts = [line.text for line in lines]
    key = {
        "lines": hashlib.sha256(json.dumps(texts).encode()).hexdigest(),
        "encoder_fingerprint": encoder.fingerprint,
    }
    if store and (found := store.get(key)) and len(found[0]) == len(texts):
        return found[0]
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    encoded = np.concatenate([encoder.encode_texts(batch).rows for batch in batches])
    rows: np.ndarray = encoded.astype(np.float16)
    _keep(store, key, rows, {"video": "(lines of speech)"})
    return rows


class _Kept(NamedTuple):
    """A video whose lines are kept in a store; its content is hashed once."""

    video: Path
    store: FeatureStore
    key: dict[str, Any]

    @classmethod
    def of(cls, video: Path, store: FeatureStore) -> _Kept:
        size = video.stat().st_size
        return cls(video, store, {"content": content_fingerprint(video, size), "bytes": size})


def _once(kept: _Kept | None, how: dict[str, str], read: Callable[[], Said]) -> Said:
    """Read the lines from the whole file, and keep them in the cache, because this takes time."""
    if kept is None:
        return read()
    key = {**how, **kept.key}
    if found := kept.store.get(key):
        about = found[1]
        return Said(tuple(Line(*line) for line in about["lines"]), about["source"])
    said = read()
    about = {
        "video": str(kept.video.resolve()),
        "lines": [list(astuple(line)) for line in said.lines],
        "source": said.source,
    }
    _keep(kept.store, key, np.zeros((0, 1), np.float16), about)
    return said


def _keep(
    store: FeatureStore | None, key: dict[str, Any], rows: np.ndarray, about: dict[str, Any]
) -> None:
    if store:
        # If the cache cannot be written, the code that keeps the video's features reports it.
        with suppress(RdmfError):
            store.put(key, rows, about)

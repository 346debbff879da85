"""The interface of a source of samples: a folder of features, or a folder of videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from rdmf_cli.channels.question import MOST_WORDS
from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.sample import Text
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.files import normalise_rows
from rdmf_cli.text import counted


class Video(NamedTuple):
    """The features of one video.

    Attributes:
        rows: float32 (L, D): its streams side by side; the rows of each stream have unit length.
        streams: The columns of each stream, by name.
        duration: Length of the video in seconds; None: unknown.
        path: The file, for errors.
    """

    rows: np.ndarray
    streams: Mapping[str, slice]
    duration: float | None
    path: Path


class Source(Protocol):
    """Gives the features of a video or query that the annotations name.

    Attributes:
        encoder_name: Name of the encoder of the features; None: unknown.
        notes: Notes for the user from the reading so far, one sentence each.
    """

    encoder_name: str | None
    notes: list[str]

    def require(self, annotations: Annotations) -> None:
        """Check that no file is missing.

        Raises:
            RdmfError: Files are missing; the message gives their number.
        """
        ...

    def files(self, annotations: Annotations) -> Iterator[Path]:
        """Yield the files of the annotated videos and queries, each once."""
        ...

    def video(self, vid: str) -> Video:
        """Return the features of a video."""
        ...

    def text(self, annotation: Annotation) -> Text:
        """Return the features of an annotation's query."""
        ...

    def paraphrases(self, annotation: Annotation) -> list[Text]:
        """Return the features of the query's paraphrases; empty if there are none."""
        ...


@dataclass(frozen=True)
class Widths:
    """The width of each kind of features, taken from the first file that was read."""

    first: dict[str, tuple[int, Path]] = field(default_factory=dict)

    def check(self, kind: str, rows: np.ndarray, path: Path) -> None:
        """Check that features are as wide as the first features of their kind.

        Args:
            kind: Name of the stream, "words" or "sentence".
            rows: The features, (..., width).
            path: The file of the features.

        Raises:
            RdmfError: The features have another width.
        """
        width = rows.shape[-1]
        known, first = self.first.setdefault(kind, (width, path))
        if width != known:
            what = f"{kind}: {counted(width, 'column')}, but {first.name} has {known}"
            raise RdmfError(what, path, "keep features of only one encoder in a folder")


def as_text(sentence: np.ndarray | None, words: np.ndarray) -> Text:
    """Normalise the features of a query.

    Args:
        sentence: (S,), or None.
        words: One row per token, (T, W); rows after the first MOST_WORDS are dropped.
    """
    row = None if sentence is None else normalise_rows(sentence)
    return Text(row, normalise_rows(words[:MOST_WORDS]))


def columns(widths: Mapping[str, int]) -> dict[str, slice]:
    """Return the columns of each stream after all streams are concatenated.

    >>> columns({"clip": 512, "slowfast": 2304})
    {'clip': slice(0, 512, None), 'slowfast': slice(512, 2816, None)}

    Args:
        widths: Number of columns of each stream, by name, in order.
    """
    parts: dict[str, slice] = {}
    end = 0
    for name, width in widths.items():
        parts[name] = slice(end, end + width)
        end += width
    return parts

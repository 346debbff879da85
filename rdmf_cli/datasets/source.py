"""Where samples come from: what the folders of features and of videos have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from rdmf_cli.channels.question import MOST_WORDS
from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.sample import Text
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.files import normalise_rows


class Video(NamedTuple):
    """The features of one video.

    rows:     float32 (L, D), its streams side by side, each of unit rows
    streams:  the columns of each stream, by name
    duration: seconds, None where the source does not know
    path:     the file an error names
    """

    rows: np.ndarray
    streams: Mapping[str, slice]
    duration: float | None
    path: Path


class Source(Protocol):
    """Features of videos and texts by the names that annotations give them.

    encoder_name: the encoder that made them; None: not known
    notes:        what a reader should know of what was read so far
    """

    encoder_name: str | None
    notes: list[str]

    def require(self, annotations: Annotations) -> None:
        """RdmfError, which counts them, where files are missing for some annotations."""
        ...

    def video(self, vid: str) -> Video: ...

    def text(self, annotation: Annotation) -> Text: ...

    def paraphrases(self, annotation: Annotation) -> list[Text]:
        """The query in other words; empty where there are none."""
        ...


@dataclass(frozen=True)
class Widths:
    """How wide the rows of each kind are: as wide as in the file that was read first."""

    first: dict[str, tuple[int, Path]] = field(default_factory=dict)

    def check(self, kind: str, rows: np.ndarray, path: Path) -> None:
        """RdmfError for a file whose rows are wider or narrower than the first's of its kind."""
        width = rows.shape[-1]
        known, first = self.first.setdefault(kind, (width, path))
        if width != known:
            what = f"{kind}: rows of {width} numbers, those of {first.name} have {known}"
            raise RdmfError(what, path, "keep features of one encoder in a folder")


def as_text(sentence: np.ndarray | None, words: np.ndarray) -> Text:
    """What an encoder says of a text, as samples hold it."""
    row = None if sentence is None else normalise_rows(sentence)
    return Text(row, normalise_rows(words[:MOST_WORDS]))


def columns(widths: Mapping[str, int]) -> dict[str, slice]:
    """Where each stream lies when they stand side by side.

    >>> columns({"clip": 512, "slowfast": 2304})
    {'clip': slice(0, 512, None), 'slowfast': slice(512, 2816, None)}
    """
    parts: dict[str, slice] = {}
    end = 0
    for name, width in widths.items():
        parts[name] = slice(end, end + width)
        end += width
    return parts

"""`Question`: one query on one video, as numbers; what every head is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.change import visual_change
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.files import normalise_rows

if TYPE_CHECKING:
    from typing_extensions import Self

Array = npt.NDArray[np.float32]

MOST_WORDS = 32
"""Word rows of a query that are read, as in the field."""

NEEDS_NONE = "give features of one joint space, or a head that needs no similarity"


class FeatureSpace(NamedTuple):
    """The widths of some features, which a full head must fit.

    Attributes:
        encoder: the encoder that made them; None: not known.
        video: columns per clip, all streams together.
        words: columns per word; None: not known.
        sentence: columns of a sentence in the space of `matching`; None: there is no such space.
        matching: the clip's columns in the sentence's space, [start, stop).
    """

    encoder: str | None
    video: int
    words: int | None
    sentence: int | None
    matching: tuple[int, int] | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """One query on one video of L clips; all rows have unit length.

    >>> question = Question(rows=rows, sentence=sentence, matching=slice(0, 512), words=words,
    ...                     clip_length=2.0, duration=150.0)

    Attributes:
        rows: float32 (L, R, D): R rows per clip, first that of the whole frame, then those of
            its regions. (L, D) is taken as one row per clip.
        sentence: float32 (S,) the query; None where the features hold words alone.
        matching: the columns of a row that lie in the sentence's space; None: there is none.
        words: float32 (T, W) the query's words, T at most `MOST_WORDS`; may be empty.
        clip_length: seconds.
        duration: seconds of the video from its first clip, where moments end at the latest;
            None: the end of the last clip.
        background: how strongly unrelated sentences match; makes `presence` absolute.

    Raises:
        RdmfError: there is no clip, or the sentence is not as wide as the matching columns.
    """

    rows: Array
    sentence: Array | None
    matching: slice | None
    words: Array
    clip_length: float
    duration: float | None = None
    background: Background | None = None

    def __post_init__(self) -> None:
        rows = self.rows[:, None] if self.rows.ndim == 2 else self.rows
        object.__setattr__(self, "rows", rows)
        if rows.ndim != 3 or not rows.shape[0] or not rows.shape[1]:
            todo = "give (L, R, D) or (L, D) with at least one clip"
            raise RdmfError(f"clips are of shape {self.rows.shape}", todo=todo)
        if self.sentence is None or self.matching is None:
            return
        if self.sentence.shape != self.video[:1, self.matching].shape[1:]:
            what = f"clips are of shape {self.rows.shape}, the sentence of {self.sentence.shape}"
            raise RdmfError(what, todo="give a sentence as wide as its columns of a clip, (S,)")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def video(self) -> Array:
        """(L, D): the row of the whole frame of each clip."""
        return self.rows[:, 0]

    def part(self, clips: slice) -> Self:
        """The same query on some of the clips, as if they were a video of their own."""
        return replace(self, rows=self.rows[clips], duration=None)

    @property
    def has_similarity(self) -> bool:
        """Whether clips and sentence lie in one space."""
        return self.sentence is not None and self.matching is not None

    @property
    def similarity(self) -> Array:
        """(L,): cosine of each clip and the sentence.

        Raises:
            RdmfError: the two share no space.
        """
        if self.sentence is None:
            raise self._lacks("these text features hold words but no sentence (pooler_output)")
        if self.matching is None:
            wide = len(self.sentence)
            raise self._lacks(f"the sentence is {wide} wide and no video stream is: {self._widths}")
        similarity: Array = self.video[:, self.matching] @ self.sentence
        return similarity

    @property
    def change(self) -> Array:
        """(L - 1,): visual change (1 - cosine) from clip to clip, in [0, 2].

        It is that of the columns that match the sentence, or else of all.
        """
        if self.matching is None:
            return visual_change(normalise_rows(self.video))
        return visual_change(self.video[:, self.matching])

    def _lacks(self, what: str) -> RdmfError:
        return RdmfError(what, todo=NEEDS_NONE)

    @property
    def _widths(self) -> str:
        return str(self.video.shape[1])

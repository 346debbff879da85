"""`Question`: one query on one video, as arrays; the input of every head."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.change import visual_change
from rdmf_cli.channels.memo import VideoMemo
from rdmf_cli.channels.speech import Speech
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.files import normalise_rows

if TYPE_CHECKING:
    from typing_extensions import Self

Array = npt.NDArray[np.float32]

MOST_WORDS = 32
"""Largest number of word features that are used per query, as in the field's loaders."""

NEEDS_NONE = (
    "use video and text features of one joint space (CLIP, say), or a head that needs no "
    "similarity (rdmf train --head full)"
)


class FeatureSpace(NamedTuple):
    """The widths of a set of features. A full head works only with the widths of its training.

    Attributes:
        encoder: name of the encoder that made the features; None: not known.
        video: number of columns per clip, all streams together.
        words: number of columns per word; None: not known.
        sentence: number of columns of a sentence in the space of `matching`; None: there is no such
            space.
        matching: those columns [start, stop) of a clip that lie in the sentence's space.
    """

    encoder: str | None
    video: int
    words: int | None
    sentence: int | None
    matching: tuple[int, int] | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Question:
    """One query on one video of L clips. All features have unit length.

    >>> question = Question(rows=rows, sentence=sentence, matching=slice(0, 512), words=words,
    ...                     clip_length=2.0, duration=150.0)

    Attributes:
        rows: float32 (L, R, D) features, R rows per clip: first the whole frame, then regions of
            the frame. An array (L, D) counts as one row per clip.
        sentence: float32 (S,) feature of the query; None if there are only features of words.
        matching: the columns of a row that lie in the sentence's space; None: no columns do.
        words: float32 (T, W) features of the query's words, T at most `MOST_WORDS`; may be empty.
        clip_length: length of a clip in seconds.
        duration: seconds from the first clip to the end of the video. No moment ends later. None:
            the end of the last clip.
        background: how strongly unrelated sentences match this video; with it, presence means the
            same in every video.
        speech: the lines that are said, and how well each answers the query; None: not known.
        memo: results that depend on the video alone; questions with the same rows may share it.

    Raises:
        RdmfError: there is no clip, or the sentence has another width than the matching columns.
    """

    rows: Array
    sentence: Array | None
    matching: slice | None
    words: Array
    clip_length: float
    duration: float | None = None
    background: Background | None = None
    speech: Speech | None = None
    memo: VideoMemo = field(default_factory=VideoMemo)

    def __post_init__(self) -> None:
        rows = self.rows[:, None] if self.rows.ndim == 2 else self.rows
        object.__setattr__(self, "rows", rows)
        if rows.ndim != 3 or not rows.shape[0] or not rows.shape[1]:
            todo = "give features of shape (L, R, D) or (L, D) with at least one clip"
            raise RdmfError(f"the features of the clips have shape {self.rows.shape}", todo=todo)
        if not self.memo.belongs_to(rows):  # `replace` keeps the memo if it changes the rows
            object.__setattr__(self, "memo", VideoMemo())
            self.memo.belongs_to(rows)
        if self.sentence is None or self.matching is None:
            return
        columns = self.video[:1, self.matching].shape[1]
        if self.sentence.shape != (columns,):
            what = f"the sentence has shape {self.sentence.shape}, not ({columns},)"
            raise RdmfError(what, todo=f"give one of {columns} numbers, the width of `matching`")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def video(self) -> Array:
        """(L, D): the feature of the whole frame of each clip."""
        return self.rows[:, 0]

    def part(self, clips: slice) -> Self:
        """Return the same query on some of the clips, as if these clips were a whole video."""
        speech = self.speech
        if speech is not None:
            start, stop, _ = clips.indices(len(self))
            speech = speech.part(start * self.clip_length, stop * self.clip_length)
        memo = self.memo.part(clips)
        return replace(self, rows=self.rows[clips], duration=None, speech=speech, memo=memo)

    @property
    def has_similarity(self) -> bool:
        """Whether clips and sentence lie in one space."""
        return self.sentence is not None and self.matching is not None

    @property
    def similarity(self) -> Array:
        """(L,): cosine of each clip and the sentence.

        Raises:
            RdmfError: clips and sentence lie in different spaces.
        """
        if self.sentence is None:
            raise self._lacks("the text features hold words but no sentence (key pooler_output)")
        if self.matching is None:
            wide = len(self.sentence)
            raise self._lacks(
                f"the sentence has {wide} columns, and no video stream has as many: {self._widths}"
            )
        similarity: Array = self.video[:, self.matching] @ self.sentence
        return similarity

    @property
    def change(self) -> Array:
        """(L - 1,): visual change (1 - cosine) from clip to clip, in [0, 2].

        The cosine uses the columns that lie in the sentence's space, or all columns if none do.
        """
        return self.memo.get(("change", str(self.matching)), self._change)

    def _change(self) -> Array:
        if self.matching is None:
            return visual_change(normalise_rows(self.video))
        return visual_change(self.video[:, self.matching])

    def _lacks(self, what: str) -> RdmfError:
        return RdmfError(what, todo=NEEDS_NONE)

    @property
    def _widths(self) -> str:
        return str(self.video.shape[1])

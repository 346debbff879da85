"""The inputs of a head. One function makes them from a question, for training and for answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.change import edges_of
from rdmf_cli.channels.channels import CHANNELS, channels, channels_of_video, evidence
from rdmf_cli.channels.question import Question

Array = npt.NDArray[np.float32]


class Match(NamedTuple):
    """How a query and a video relate, in numbers that do not depend on the encoder's scale.

    Attributes:
        channels: (L, C) similarity channels; 0 if clips and sentence lie in different spaces.
        edges: (L - 1,) edge weights of the diffusion between neighbouring clips.
        evidence: (2,) how far the best match exceeds the background, and 1 if the background is
            known (else 0).
    """

    channels: Array
    edges: Array
    evidence: Array


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a head reads of one query on one video of L clips.

    Attributes:
        channels: (L, C); see `Match`.
        edges: (L - 1,); see `Match`.
        evidence: (2,); see `Match`.
        clip_length: length of a clip in seconds.
        video: (L, D) features of the clips, unit length, for a full head; else None.
        sentence: (S,) feature of the query, unit length, for a full head; else None.
        words: (T, W) features of the query's words, unit length, for a full head; else None.
    """

    channels: Array
    edges: Array
    evidence: Array
    clip_length: float
    video: Array | None = None
    sentence: Array | None = None
    words: Array | None = None

    def __len__(self) -> int:
        return len(self.channels)


class Form(Protocol):
    """The part of a head's configuration that decides the inputs of the head; see `ModelConfig`."""

    @property
    def cut(self) -> float:
        """Visual change at which half of the diffusion passes, in units of visual change."""
        ...

    @property
    def full(self) -> bool:
        """Whether the head also reads the features of clips, sentence and words."""
        ...

    def stretch(self, clip_length: float) -> float:
        """Return how many clips of this length in seconds count as one clip of training."""
        ...


def match_of(question: Question, form: Form) -> Match:
    """Compute the costly part of a head's inputs.

    Args:
        question: one query on one video of L clips.
        form: the head's configuration.

    Returns:
        The channels (L, C), edge weights (L - 1,) and evidence (2,).
    """
    memo, columns = question.memo, str(question.matching)
    edges = memo.get(("edges", columns, form.cut), lambda: edges_of(question.change, form.cut))
    if not question.has_similarity:
        unknown = np.zeros((len(question), len(CHANNELS)), np.float32)
        return Match(unknown, edges, np.zeros(2, np.float32))
    assert question.sentence is not None
    assert question.matching is not None
    rows = question.video[:, question.matching]
    stretch = form.stretch(question.clip_length)
    about = memo.get(("channels", columns, stretch), lambda: channels_of_video(rows, stretch))
    return Match(
        channels(rows, question.sentence, stretch, about),
        edges,
        evidence(question.similarity, question.background),
    )


def inputs_of(question: Question, form: Form, match: Match | None = None) -> Inputs:
    """Make the inputs of a head. No other function makes them.

    Args:
        question: one query on one video.
        form: the head's configuration.
        match: the result of `match_of` for this question, if it is known already.

    Returns:
        The inputs. For a universal head they lack the features of clips, sentence and words.

    Raises:
        RdmfError: the head is universal, and the question has no similarity.
    """
    if not form.full and not question.has_similarity:
        _ = question.similarity  # raises the error that names what is missing
    match = match or match_of(question, form)
    return Inputs(
        *match,
        clip_length=question.clip_length,
        video=question.video if form.full else None,
        sentence=question.sentence if form.full and question.has_similarity else None,
        words=question.words if form.full else None,
    )

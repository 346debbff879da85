"""What a head reads of a question, as numpy: the same in training and in answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.change import edges_of
from rdmf_cli.channels.channels import CHANNELS, channels, evidence
from rdmf_cli.channels.question import Question

Array = npt.NDArray[np.float32]


class Match(NamedTuple):
    """What query and video say of each other, free of the encoder's scale.

    Attributes:
        channels: (L, C) similarity channels; 0 where clips and sentence share no space.
        edges: (L - 1,) weights of diffusion between neighbouring clips.
        evidence: (2,) how far the best match stands out from unrelated sentences, if known.
    """

    channels: Array
    edges: Array
    evidence: Array


@dataclass(frozen=True, eq=False)
class Inputs:
    """The query-side and video-side numbers of L clips.

    Attributes:
        channels, edges, evidence: see `Match`.
        clip_length: seconds.
        video, sentence, words: unit rows (L, D), (S,), (T, W), for a full head; else None.
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


def match_of(question: Question, cut: float) -> Match:
    """Compute the part of a head's inputs that costs something.

    Args:
        question: what is asked.
        cut: visual change, in the video's own unit, at which half of the diffusion passes.
    """
    edges = edges_of(question.change, cut)
    if not question.has_similarity:
        unknown = np.zeros((len(question), len(CHANNELS)), np.float32)
        return Match(unknown, edges, np.zeros(2, np.float32))
    assert question.sentence is not None
    assert question.matching is not None
    rows = question.video[:, question.matching]
    return Match(
        channels(rows, question.sentence),
        edges,
        evidence(question.similarity, question.background),
    )


class Form(Protocol):
    """What of a head's configuration decides its inputs; a `ModelConfig` has it.

    Attributes:
        cut: see `match_of`.
        full: whether the head reads the rows of clips, sentence and words as well.
    """

    @property
    def cut(self) -> float: ...

    @property
    def full(self) -> bool: ...


def inputs_of(question: Question, form: Form, match: Match | None = None) -> Inputs:
    """Make the inputs of a head; the only place that does.

    Args:
        question: what is asked.
        form: the head's configuration.
        match: what `match_of` gave for this question, where it is known already.

    Raises:
        RdmfError: a universal head meets a question without similarity.
    """
    if not form.full and not question.has_similarity:
        _ = question.similarity  # raises, and says what is missing
    match = match or match_of(question, form.cut)
    return Inputs(
        *match,
        clip_length=question.clip_length,
        video=question.video if form.full else None,
        sentence=question.sentence if form.full and question.has_similarity else None,
        words=question.words if form.full else None,
    )

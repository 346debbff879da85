"""The learned head, run by ONNX Runtime and numpy, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

from rdmf_cli.channels.question import FeatureSpace, Question
from rdmf_cli.features.store import FeatureStore
from rdmf_cli.files import MIB, content_of
from rdmf_cli.heads.learned import windows
from rdmf_cli.heads.learned.archive import OnnxGraphs
from rdmf_cli.heads.learned.config import ModelConfig, require_space
from rdmf_cli.heads.learned.reading import Outputs, reading
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.moments.reading import Reading
from rdmf_cli.resources import load_weights

SHIPPED = "moments.rdmf"
MOST_HEAD: Final = 128 * MIB  # limit in bytes for its file
DISTINCT: Final = 0.5
"""Two moments with at least this IoU look the same to a person.

A benchmark rewards several guesses at one moment, because each guess may pass a different
threshold. So `ModelConfig.overlap` is higher.
"""


class ConfiguredHead:
    """The common part of all heads with a `ModelConfig`, in torch or in ONNX Runtime."""

    def __init__(self, config: ModelConfig):
        self.config = config

    @property
    def name(self) -> str:
        """The name of the head in an answer: "learned-universal" or "learned-full"."""
        return f"learned-{self.config.head}"

    @property
    def description(self) -> str:
        """The name and the kind of fusion."""
        return f"{self.name} ({self.config.fusion})"

    def require(self, space: FeatureSpace, path: Path | None = None) -> None:
        """Check that the head can read features of this space.

        Args:
            space: the widths of the features.
            path: a file of the features, for errors; None: unknown.

        Raises:
            RdmfError: the head cannot read them; the error names both spaces.
        """
        require_space(self.config, space, path)

    def _overlap(self, distinct: bool) -> float:
        """Return the lowest IoU of two moments at which the worse moment is dropped."""
        return min(DISTINCT, self.config.overlap) if distinct else self.config.overlap

    @cached_property
    def _rates(self) -> TrainingFree:
        return TrainingFree.load()

    def _with_presence(self, read: Reading, question: Question) -> Reading:
        """Take presence from the fitted rates if the similarity is known.

        The fitted rates predict better than the network whether a query is shown at all. The
        presence from the rates is calibrated at 0.5 (benchmarks/learned_head.py).
        """
        if not question.has_similarity:
            return read
        presence = self._rates.presence(question.similarity, question.background)
        return replace(read, presence=presence, presence_by="rates")


class LearnedHead(ConfiguredHead):
    """Finds moments with a trained network. The graphs of the network run window by window.

    >>> head = LearnedHead.load()
    >>> head.read(question).spans  # (K, 2) seconds
    """

    def __init__(self, graphs: windows.Graphs):
        super().__init__(graphs.config)
        self._graphs = graphs

    @classmethod
    def load(cls, path: Path | None = None, store: FeatureStore | None = None) -> LearnedHead:
        """Load an exported head.

        Args:
            path: the file of the head; None: the head that is part of rdmf (its checksum is
                checked).
            store: the cache; see `OnnxGraphs`.

        Raises:
            RdmfError: the file is missing, damaged, or not a head.
        """
        if path is None:
            return cls(OnnxGraphs(load_weights(SHIPPED), SHIPPED, store))
        todo = "give the file of an exported head"
        content = content_of(path, "the head", todo, most=MOST_HEAD)
        return cls(OnnxGraphs(content, path, store))

    def read(self, question: Question, *, top_k: int = 10, distinct: bool = False) -> Reading:
        """Answer one question; see `Head.read`.

        Raises:
            RdmfError: the head is universal, and clips and sentence lie in different spaces.
        """
        return self.read_many([question], top_k=top_k, distinct=distinct)[0]

    def read_many(
        self, questions: Sequence[Question], *, top_k: int = 10, distinct: bool = False
    ) -> list[Reading]:
        """Answer several questions; the readings have the order of the questions."""
        return [
            self._reading(question, top_k, distinct, *read)
            for question, read in zip(
                questions, windows.read_all(self._graphs, questions), strict=True
            )
        ]

    def _reading(
        self,
        question: Question,
        top_k: int,
        distinct: bool,
        field: windows.ClipOutputs,
        found: windows.Found,
    ) -> Reading:
        read = reading(
            Outputs(field.pattern, field.saliency, field.presence, found.spans, found.scores),
            self.config,
            clip_length=question.clip_length,
            duration=question.duration,
            top_k=top_k,
            overlap=self._overlap(distinct),
        )
        return self._with_presence(read, question)

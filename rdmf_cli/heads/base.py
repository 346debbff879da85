"""`Head`: the interface of all objects that answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rdmf_cli.channels.question import FeatureSpace, Question
from rdmf_cli.moments import Reading


class Head(Protocol):
    """Finds those moments of a video that a query describes."""

    @property
    def name(self) -> str:
        """The name of the head in an answer, such as "learned-universal"."""
        ...

    @property
    def description(self) -> str:
        """The name and the kind of fusion, in words for the user."""
        ...

    def require(self, space: FeatureSpace, path: Path | None = None) -> None:
        """Check that the head can read features of this space.

        Args:
            space: the widths of the features.
            path: a file of the features, for errors; None: unknown.

        Raises:
            RdmfError: the head cannot read them; the error names the head's space and this space.
        """
        ...

    def read(self, question: Question, *, top_k: int = 10, distinct: bool = False) -> Reading:
        """Answer one question.

        Args:
            question: one query on one video of L clips.
            top_k: largest number of moments; the best come first.
            distinct: leave out a moment if a person would call it the same as a better moment. Use
                False for benchmarks: they reward several guesses at one moment.

        Returns:
            The moments, and the saliency of every clip.
        """
        ...

    def read_many(
        self, questions: Sequence[Question], *, top_k: int = 10, distinct: bool = False
    ) -> list[Reading]:
        """Answer questions, in their order; faster than `read` if the head takes batches."""
        ...

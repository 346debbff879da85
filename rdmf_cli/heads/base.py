"""`Head`: the protocol of everything that answers a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rdmf_cli.channels.question import FeatureSpace, Question
from rdmf_cli.moments import Reading


class Head(Protocol):
    """Finds the moments of a video that a query describes."""

    @property
    def name(self) -> str:
        """The name of the head in an answer, such as "learned-universal"."""
        ...

    @property
    def description(self) -> str:
        """The name and the kind of fusion, for people."""
        ...

    def require(self, space: FeatureSpace) -> None:
        """Check that the head can read features of a space.

        Raises:
            RdmfError: it cannot; the error names both.
        """
        ...

    def read(self, question: Question, *, top_k: int = 10, distinct: bool = False) -> Reading:
        """Answer one question.

        Args:
            question: one query on one video of L clips.
            top_k: number of moments at most, best first.
            distinct: leave out moments that a person would call the same as a better one. A
                benchmark rewards several guesses at one moment, so it asks with False.

        Returns:
            The moments, and the saliency of every clip.
        """
        ...

    def read_many(
        self, questions: Sequence[Question], *, top_k: int = 10, distinct: bool = False
    ) -> list[Reading]:
        """Answer several questions, in order; faster than `read` where a head takes batches."""
        ...

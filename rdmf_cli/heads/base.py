"""`Head`: whatever answers a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rdmf_cli.channels.question import FeatureSpace, Question
from rdmf_cli.moments import Reading


class Head(Protocol):
    """Finds the moments of a video that a query describes.

    Attributes:
        name: how an answer names the head, such as "learned-universal".
        description: the name and what is inside, for people.
    """

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    def require(self, space: FeatureSpace) -> None:
        """Check that the head can read features of this space.

        Raises:
            RdmfError: it cannot; the error names both.
        """
        ...

    def read(self, question: Question, *, top_k: int = 10, distinct: bool = False) -> Reading:
        """Answer one question.

        Args:
            question: one query on one video of L clips.
            top_k: moments at most, best first.
            distinct: list no two moments that a person would call the same. A benchmark rewards
                several guesses at one moment, so it asks with False.

        Returns:
            The moments, and the saliency of every clip.
        """
        ...

    def read_many(
        self, questions: Sequence[Question], *, top_k: int = 10, distinct: bool = False
    ) -> list[Reading]:
        """Answer several questions, in their order; quicker where a head takes batches."""
        ...

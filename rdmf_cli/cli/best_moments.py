"""The shared part of rdmf show and rdmf play: one sentence on one video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdmf_cli.api import Searcher
    from rdmf_cli.moments.types import Answer


@dataclass(frozen=True)
class Question:
    """A sentence on a video, and the searcher that answers it."""

    path: Path
    sentence: str
    searcher: Searcher

    @classmethod
    def of(
        cls,
        command: str,
        words: Sequence[str] | None,
        example: bool,
        subtitles: str,
        **searcher: Any,
    ) -> Question:
        """Read the arguments of a command.

        Args:
            command: The name of the command, for messages: "show".
            words: What the user typed: a video and a sentence.
            example: The video is the example video of rdmf.
            subtitles: The value of --subtitles.
            **searcher: The further arguments of the searcher.

        Raises:
            UsageError: The words are not one video and one sentence.
            RdmfError: There is no such video, encoder or head.
        """
        from rdmf_cli.cli import inputs
        from rdmf_cli.cli.batch import open_searcher
        from rdmf_cli.cli.query_options import subtitles_of
        from rdmf_cli.errors import UsageError

        videos, sentences = inputs.split_arguments(words or (), (), None, example)
        if len(videos) > 1 or len(sentences) > 1:
            raise UsageError(f"rdmf {command} takes one video and one sentence")
        path = inputs.one_video(videos[0])
        said = subtitles_of(videos, subtitles)
        return cls(path, sentences[0], open_searcher(subtitles=said, **searcher))

    def answer(self, top_k: int, refine: bool) -> Answer:
        """Answer the question, with at most `top_k` moments."""
        from rdmf_cli.cli.answering import ask

        (answer,) = ask(self.searcher, self.path, [self.sentence], refine=refine, top_k=top_k)
        return answer

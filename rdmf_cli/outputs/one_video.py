"""Formats for a single video: subtitles and chapters, which cannot name their video."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TextIO

from rdmf_cli.errors import UsageError
from rdmf_cli.handover.chapters import ffmetadata, youtube_chapters
from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.writer import Writer


class OneVideoWriter(Writer):
    """Collect the answers on one video, and write the answers as one document."""

    encoding = "utf-8"
    one_video = True

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.answers: list[Answer] = []

    def write(self, answer: Answer) -> None:
        """Add an answer.

        Raises:
            UsageError: The answer belongs to another video than the first answer.
        """
        if self.answers and answer.video != self.answers[0].video:
            raise several_videos(type(self).__name__.removesuffix("Writer").lower())
        self.answers.append(answer)

    def close(self) -> None:
        """Write the document."""
        self.stream.write(self.text(self.answers))

    @staticmethod
    @abstractmethod
    def text(answers: Sequence[Answer]) -> str:
        """Return the document of the answers on one video."""


class ChaptersWriter(OneVideoWriter):
    """Write chapters as lines for the description of a video on YouTube."""

    text = staticmethod(youtube_chapters)


class FfmetadataWriter(OneVideoWriter):
    """Write chapters as a metadata file of FFmpeg."""

    text = staticmethod(ffmetadata)


def several_videos(form: str) -> UsageError:
    """Return the error for several videos in a format for a single video."""
    return UsageError(
        f"{form} is a format for a single video, but there are several",
        "--format",
        f"write one file per video: -o '{{stem}}.{form}'",
    )

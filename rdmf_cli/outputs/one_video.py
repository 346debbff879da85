"""Formats that describe one video: subtitles and chapters carry no name of a file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TextIO

from rdmf_cli.errors import UsageError
from rdmf_cli.handover.chapters import ffmetadata, youtube_chapters
from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.writer import Writer


class OneVideoWriter(Writer):
    """Collects the answers on one video and writes them as one document."""

    encoding = "utf-8"
    one_video = True

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.answers: list[Answer] = []

    def write(self, answer: Answer) -> None:
        """Keep an answer.

        Raises:
            UsageError: It is on another video than the first.
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
        """Write what was found in one video."""


class ChaptersWriter(OneVideoWriter):
    """Chapters as lines for the description of a video on YouTube."""

    text = staticmethod(youtube_chapters)


class FfmetadataWriter(OneVideoWriter):
    """Chapters as a metadata file of FFmpeg."""

    text = staticmethod(ffmetadata)


def several_videos(form: str) -> UsageError:
    """Make the error of asking for several videos in a file that describes one."""
    return UsageError(
        f"a file of {form} describes one video, and there are several",
        "--format",
        f"write one file per video: -o '{{stem}}.{form}'",
    )

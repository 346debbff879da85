"""The interface of output formats: a writer gets a stream and writes answers one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, TextIO

if TYPE_CHECKING:
    from typing_extensions import Self

    from rdmf_cli.moments.types import Answer


class ClosedAtEnd(ABC):
    """Close a writer at the end of a run, but not if an error ends the run early.

    A run that ends with an exit code, because some videos failed, also has a normal end.
    """

    @abstractmethod
    def close(self) -> None:
        """Write the rest of the output."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, SystemExit):
            self.close()


class Writer(ClosedAtEnd):
    """Write answers to a text stream.

    A writer is made once per run, gets the answers one by one in `write`, and is closed once. A
    format of lines (JSON Lines, CSV, subtitles) writes each answer in `write` and may write its
    header when the writer is made. A format with one document (a timeline, a page) collects answers
    in `write` and writes the document in `close`. An answer names its video (`answer.video`); a
    writer reads facts about the video, such as its frame rate, from this file.

    If an error ends the run early, the writer is not closed, so no document is written.

    Args:
        stream: The text stream; it belongs to the caller.

    Attributes:
        encoding: "utf-8" for formats that users store in files; None for formats that users read
            directly: these use the encoding of the stream.
        one_video: The format describes one video; several videos need one file each.
        reads_videos: The format needs the files of the videos, because its output may name them.
    """

    encoding: ClassVar[str | None] = None
    one_video: ClassVar[bool] = False
    reads_videos: ClassVar[bool] = False

    def __init__(self, stream: TextIO):
        self.stream = stream

    @abstractmethod
    def write(self, answer: Answer) -> None:
        """Write one answer, or collect the answer for `close`."""

    def close(self) -> None:
        """Write the document, or its end; most formats need no end. The stream stays open."""

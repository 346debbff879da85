"""The protocol of output formats: a writer gets a stream and writes answers one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, TextIO

if TYPE_CHECKING:
    from typing_extensions import Self

    from rdmf_cli.moments.types import Answer


class ClosedAtEnd(ABC):
    """A context manager that closes itself at the end of a run, but not where the run breaks off.

    A run that ends with an exit code (some videos failed) has an end, too.
    """

    @abstractmethod
    def close(self) -> None:
        """Write what is left."""

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
    """A writer of answers to a text stream.

    A writer is made once per run, gets the answers one by one in `write`, and is closed once. A
    format of lines (JSON Lines, CSV, subtitles) writes each answer in `write` and may write its
    header when it is made. A format that is one document (a timeline, a page) collects in `write`
    and writes in `close`. An answer names its video (`answer.video`); facts about the file, such as
    its frame rate, are read from there.

    Where the run breaks off, it is not closed, so a document is not written.

    Args:
        stream: The text stream; it belongs to the caller.

    Attributes:
        encoding: "utf-8" for formats that are stored in files; None for formats that are read as
            they come: they have the encoding of the stream.
        one_video: The format describes one video; of several, each needs a file of its own.
        reads_videos: The format needs the files of the videos, which what it writes may name.
    """

    encoding: ClassVar[str | None] = None
    one_video: ClassVar[bool] = False
    reads_videos: ClassVar[bool] = False

    def __init__(self, stream: TextIO):
        self.stream = stream

    @abstractmethod
    def write(self, answer: Answer) -> None:
        """Write one answer, or collect it for `close`."""

    def close(self) -> None:
        """Write the document, or its end; most formats need none. The stream stays open."""

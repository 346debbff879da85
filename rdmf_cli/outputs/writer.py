"""The protocol of output formats: a stream, and answers written to it one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, TextIO

if TYPE_CHECKING:
    from rdmf_cli.moments.types import Answer


class Writer(ABC):
    """Writes answers to a text stream.

    A writer is made once per run with its stream, gets the answers one by one in `write`, and is
    closed once. A format of lines (JSON Lines, CSV, subtitles) writes each answer whole in `write`,
    and may write its header when it is made. A format that is one document (a timeline, a page)
    collects in `write` and writes in `close`. An answer names its video (`answer.video`): what the
    format needs of the file itself, such as its frame rate, the writer reads there.

    As a context manager it closes itself where the run ended by itself or by an exit code (some
    videos failed, the others are answered), and leaves the document unwritten where it broke off.

    Attributes:
        encoding: How the text is stored: "utf-8" for formats that are files, whatever the terminal
            has; None for formats that people and pipelines read as they come, in the encoding
            that the stream has.
    """

    encoding: ClassVar[str | None] = None

    def __init__(self, stream: TextIO):
        self.stream = stream

    @abstractmethod
    def write(self, answer: Answer) -> None:
        """Take one answer: what is shown per answer is on the stream when this returns."""

    def close(self) -> None:  # noqa: B027  (most formats need no end)
        """Write what ends the document. The stream stays open: it belongs to the caller."""

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, SystemExit):
            self.close()

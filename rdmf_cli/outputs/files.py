"""Answers written to files: one for all videos, or one per video."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from rdmf_cli.errors import UsageError
from rdmf_cli.files import check_target, write_whole
from rdmf_cli.handover.naming import VIDEO_FIELDS, fields_of, filled, video_fields
from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.formats import FORMATS, open_writer
from rdmf_cli.outputs.writer import Writer

WHAT = "the answer"
ENDINGS = {"jsonl": "json"}
"""Endings of file names that are not the name of their format."""


def format_of(name: str) -> str:
    """Tell the format of a file by the ending of its name.

    Raises:
        UsageError: No format ends so.
    """
    ending = name.rpartition(".")[2].lower()
    form = ENDINGS.get(ending, ending)
    if form not in FORMATS or form == "table":
        raise UsageError("its name does not tell its format", name, "give --format")
    return form


class _File(NamedTuple):
    """A file that is begun."""

    path: Path
    writer: Writer
    stream: io.StringIO


class AnswerFiles:
    """Writes answers in one format to files that are written whole.

    A name without fields is one file for all videos, written when the run ends. A name with fields
    ("{stem}.srt") is a file per video, written as soon as the next video has an answer.

    Args:
        template: The name.
        form: The format, a name in `FORMATS`.
        force: Replace files that rdmf did not write.
        written: Is called with the path of each file that was written.
    """

    def __init__(self, template: str, form: str, force: bool, written: Callable[[Path], object]):
        self.template = template
        self.form = form
        self.force = force
        self.written = written
        self.per_video = bool(fields_of(template, VIDEO_FIELDS))
        self._videos: dict[str, None] = {}  # all that were read
        self._closed: set[Path] = set()
        self._open: _File | None = None
        if not self.per_video:
            self._begin(filled(template, {}))

    def write(self, answer: Answer) -> None:
        """Take one answer.

        Raises:
            UsageError: The file is a video, a user's, or that of another video.
            RdmfError: The file of the video before cannot be written.
        """
        last = next(reversed(self._videos), None)
        self._videos[answer.video] = None
        if self.per_video and answer.video != last:
            self.close()
            self._begin(filled(self.template, video_fields(Path(answer.video))))
        if self._open is not None:
            self._open.writer.write(answer)

    def close(self) -> None:
        """Write the file that is begun."""
        if self._open is None:
            return
        path, writer, stream = self._open
        writer.close()
        content = stream.getvalue().encode()
        write_whole(path, content, inputs=self._videos, force=self.force, what=WHAT)
        self._closed.add(path)
        self._open = None
        self.written(path)

    def _begin(self, path: Path) -> None:
        if path in self._closed:
            problem = "two videos would be written to this file"
            raise UsageError(problem, path, "name the files by more: {folder}, {stem}, {name}")
        check_target(path, inputs=self._videos, force=self.force, what=WHAT)
        stream = io.StringIO()
        self._open = _File(path, open_writer(self.form, stream), stream)

    def __enter__(self) -> AnswerFiles:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is begun, unless the run broke off."""
        if kind is None or issubclass(kind, SystemExit):
            self.close()

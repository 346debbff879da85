"""Write answers to files: one file for all videos, or one file per video."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rdmf_cli.errors import UsageError
from rdmf_cli.files import check_target, write_whole
from rdmf_cli.handover.naming import VIDEO_FIELDS, fields_of, filled, video_fields
from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.formats import FORMATS, open_writer
from rdmf_cli.outputs.writer import ClosedAtEnd, Writer

WHAT = "the answer"
ENDINGS = {"jsonl": "json"}
"""Suffixes of files that differ from the name of their format."""


def format_of(name: str) -> str:
    """Return the format of a file by its suffix.

    Raises:
        UsageError: No format has this suffix.
    """
    ending = name.rpartition(".")[2].lower()
    form = ENDINGS.get(ending, ending)
    if form not in FORMATS or form == "table":
        raise UsageError("does not end with the suffix of a format", name, "give --format")
    return form


class _File(NamedTuple):
    """Hold a file that is not written yet: its answers are collected in `stream`."""

    path: Path
    writer: Writer
    stream: io.StringIO


class AnswerFiles(ClosedAtEnd):
    """Write answers to files in one format; each file is written completely or not at all.

    A name without fields means one file for all videos; the file is written at the end of the run.
    A name with fields ("{stem}.srt") means one file per video; the file is written when the next
    video has an answer.

    Args:
        template: The name of the files.
        form: The format, a key of `FORMATS`.
        force: Replace files that rdmf did not write.
        written: A function that is called with the path of each written file.
    """

    def __init__(self, template: str, form: str, force: bool, written: Callable[[Path], object]):
        self.template = template
        self.form = form
        self.force = force
        self.written = written
        self.per_video = bool(fields_of(template, VIDEO_FIELDS))
        self._videos: dict[str, None] = {}  # all videos with answers
        self._closed: set[Path] = set()
        self._open: _File | None = None
        if not self.per_video:
            self._begin(filled(template, {}))

    def write(self, answer: Answer) -> None:
        """Add an answer.

        Raises:
            UsageError: The file is a video, was not written by rdmf, or belongs to another video.
            RdmfError: The file of the previous video cannot be written.
        """
        last = next(reversed(self._videos), None)
        self._videos[answer.video] = None
        if self.per_video and answer.video != last:
            self.close()
            self._begin(filled(self.template, video_fields(Path(answer.video))))
        if self._open is not None:
            self._open.writer.write(answer)

    def close(self) -> None:
        """Write the file that was begun last, if it is not written yet."""
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
            raise UsageError(problem, path, "add fields to the name: {folder}, {stem}, {name}")
        check_target(path, inputs=self._videos, force=self.force, what=WHAT)
        stream = io.StringIO()
        self._open = _File(path, open_writer(self.form, stream), stream)

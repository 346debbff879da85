"""Cutting of the moments of answers into video files, named by a template."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from rdmf_cli.errors import NothingFoundError, UsageError
from rdmf_cli.files import check_target, write_whole
from rdmf_cli.handover.copying import copy_span
from rdmf_cli.handover.cutting import Span, span_of, write_montage, write_span
from rdmf_cli.handover.film import kind_of
from rdmf_cli.handover.naming import (
    MOMENT_FIELDS,
    VIDEO_FIELDS,
    as_file_name,
    fields_of,
    filled,
    video_fields,
)
from rdmf_cli.handover.written import NAME, Cut
from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.video.decoders import scan
from rdmf_cli.video.decoders.base import Scan
from rdmf_cli.video.info import checked_file

NAME_OF_SEVERAL = "{stem}_{query}_{rank}.mp4"  # for several queries
FIELDS = {**VIDEO_FIELDS, **MOMENT_FIELDS}
LEAST_PRESENCE = 0.2  # below this, an answer says "probably not in this video"
WHAT = "the cut"
MONTAGE = "the montage"


class Cutter:
    """Cuts moments out of videos; it remembers all file names, so that no name is used twice.

    Args:
        output: Name template of the files, with `FIELDS` in braces; None: no file per moment.
        montage: File for all moments joined together (see `join`); None: none.
        pad: Seconds to add on both sides.
        copy: Copy packets from the key frame before a moment; do not encode the moment again.
        force: Replace files that rdmf did not write.
        anyway: Cut even if the query is probably not in the video.

    Attributes:
        spans: All spans that were cut, in order.
        refused: The reason for each query that was not cut, one sentence per query.

    Raises:
        UsageError: The name has an unknown field, or a suffix that is not supported.
    """

    def __init__(
        self,
        output: str | None,
        montage: Path | None = None,
        *,
        pad: float = 0.0,
        copy: bool = False,
        force: bool = False,
        anyway: bool = False,
    ):
        self.output = output
        self.montage = montage
        self.pad = pad
        self.copy = copy
        self.force = force
        self.anyway = anyway
        self.spans: list[Span] = []
        self.refused: list[str] = []
        self._taken: set[Path] = set()
        if output is not None:
            fields_of(output, FIELDS)
            kind_of(Path(output))
        if montage is not None:
            kind_of(montage)
            check_target(montage, force=force, what=MONTAGE)
            self._taken.add(montage)

    def cut(
        self, answers: Sequence[Answer], top_k: int | None = None, min_score: float = 0.0
    ) -> list[Cut]:
        """Cut the best moments of answers on one video.

        Args:
            answers: The answers.
            top_k: Number of moments per answer; None: all.
            min_score: Leave out moments with a lower score.

        Raises:
            UsageError: Two moments have the same file name, or a file of this name exists that
                rdmf did not write. Then nothing is written.
            RdmfError: The video cannot be read, or a file cannot be written.
        """
        chosen = [
            (answer.query, moment)
            for answer in answers
            if self._accepts(answer.video, answer.query, answer.presence)
            for moment in answer.moments[:top_k]
            if moment.score >= min_score
        ]
        return self._cut(answers[0].video, chosen) if chosen else []

    def cut_moment(self, video: str, query: str, presence: float, moment: Moment) -> list[Cut]:
        """Cut one moment, such as a hit of a search in many videos.

        Args:
            video: The file.
            query: The query that the moment answers.
            presence: Probability that the query is anywhere in the video.
            moment: The moment; its rank is unique among all moments that are cut.

        Raises:
            UsageError: As for `cut`.
            RdmfError: As for `cut`.
        """
        if not self._accepts(video, query, presence):
            return []
        return self._cut(video, [(query, moment)])

    def _cut(self, video: str, chosen: Sequence[tuple[str, Moment]]) -> list[Cut]:
        found = scan(checked_file(video))
        spans = [span_of(found, moment.start, moment.end, self.pad) for _, moment in chosen]
        self.spans += spans
        if self.output is None:
            return []
        paths = [self._path(query, moment, found) for query, moment in chosen]
        return [self._write(path, span) for path, span in zip(paths, spans, strict=True)]

    def require_something(self) -> None:
        """Raise NothingFoundError if nothing was cut."""
        if not self.spans:
            todo = "use --anyway to cut the best moments" if self.refused else ""
            raise NothingFoundError("no moment was found to cut", todo=todo)

    def _accepts(self, video: str, query: str, presence: float) -> bool:
        if self.anyway or presence >= LEAST_PRESENCE:
            return True
        self.refused.append(
            f"{video}: {query!r} is probably not in this video (presence {presence:.2f})"
        )
        return False

    def join(self) -> list[Cut]:
        """Write the montage, if the user asked for it and there are moments."""
        if self.montage is None or not self.spans:
            return []
        write = partial(write_montage, kind=kind_of(self.montage), spans=self.spans)
        write_whole(self.montage, write, inputs=self._inputs, force=self.force, what=MONTAGE)
        seconds = sum(float(span.ends - span.begins) for span in self.spans)
        return [Cut(self.montage, 0.0, seconds)]

    @property
    def _inputs(self) -> list[Path]:
        return list(dict.fromkeys(span.scan.info.path for span in self.spans))

    def _path(self, query: str, moment: Moment, found: Scan) -> Path:
        """Return the file name of a moment; check that the file may be written."""
        fields = {
            **video_fields(found.info.path),
            "rank": moment.rank,
            "query": as_file_name(query),
            "start": round(moment.start, 3),
            "end": round(moment.end, 3),
            "score": round(moment.score, 2),
        }
        path = filled(self.output or NAME, fields)
        if path in self._taken:
            problem = "two moments would be written to this file"
            names = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise UsageError(problem, path, f"add fields to the name: {names}")
        self._taken.add(path)
        kind_of(path)
        check_target(path, inputs=[found.info.path], force=self.force, what=WHAT)
        return path

    def _write(self, path: Path, span: Span) -> Cut:
        return write_cut(path, span, copy=self.copy, force=self.force)


def write_cut(path: Path, span: Span, *, copy: bool = False, force: bool = False) -> Cut:
    """Write a span of a video as a video file.

    Args:
        path: The file; its suffix selects the container.
        span: The frames.
        copy: Copy packets from the key frame before the span; do not encode the span again.
        force: Replace a file that rdmf did not write.

    Raises:
        UsageError: The suffix is not supported, or the file exists and rdmf did not write it.
        RdmfError: The span cannot be decoded, or the file cannot be written.
    """
    kind = kind_of(path)
    start, end = span.player_times
    notes: list[str] = []

    def content(file: BinaryIO) -> None:
        if not copy:
            notes.extend(write_span(file, kind, span))
        elif earlier := copy_span(file, kind, span):
            notes.append(
                f"starts {float(earlier):.2f} s earlier, at the key frame before the moment"
            )

    inputs = [span.scan.info.path]
    write_whole(path, content, inputs=inputs, force=force, what=WHAT)
    return Cut(path, start, end, tuple(notes))

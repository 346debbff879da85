"""Formats of editing programs: one timeline over all videos that were searched."""

from __future__ import annotations

from abc import abstractmethod
from typing import TextIO

from rdmf_cli.handover.edl import edl_text
from rdmf_cli.handover.fcpxml import fcpxml_text
from rdmf_cli.handover.markers import markers_text
from rdmf_cli.handover.media import source_of
from rdmf_cli.handover.otio import otio_text
from rdmf_cli.handover.timeline import Source, Timeline, timeline_of
from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.writer import Writer


class TimelineWriter(Writer):
    """Collects answers, looks at each video in which something was found, and writes one document.

    Each video keeps its own frame rate and start time code, which are read from its file.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.answers: list[Answer] = []
        self.sources: dict[str, Source] = {}

    def write(self, answer: Answer) -> None:
        """Keep an answer.

        Raises:
            RdmfError: Its video cannot be read any more.
        """
        if answer.moments and answer.video not in self.sources:
            self.sources[answer.video] = source_of(answer.video)
        self.answers.append(answer)

    def close(self) -> None:
        """Write the timeline.

        Raises:
            UsageError: The format cannot hold these videos together.
        """
        self.stream.write(self.text(timeline_of(self.answers, self.sources)))

    @staticmethod
    @abstractmethod
    def text(timeline: Timeline) -> str:
        """Write a timeline in this format."""


class OtioWriter(TimelineWriter):
    """OpenTimelineIO."""

    text = staticmethod(otio_text)


class EdlWriter(TimelineWriter):
    """CMX3600 edit decision list."""

    text = staticmethod(edl_text)


class FcpxmlWriter(TimelineWriter):
    """FCPXML."""

    text = staticmethod(fcpxml_text)


class MarkersWriter(TimelineWriter):
    """Markers as CSV."""

    text = staticmethod(markers_text)

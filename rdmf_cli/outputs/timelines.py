"""Formats of editing programs: one timeline over all searched videos."""

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
    """Collect answers, and write the answers as one timeline.

    Each video with a moment keeps its own frame rate and start time code. rdmf reads both values
    from the file of the video.
    """

    encoding = "utf-8"
    reads_videos = True

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.answers: list[Answer] = []
        self.sources: dict[str, Source] = {}

    def write(self, answer: Answer) -> None:
        """Add an answer, and read the properties of its video.

        Raises:
            RdmfError: The video cannot be read.
        """
        if answer.moments and answer.video not in self.sources:
            self.sources[answer.video] = source_of(answer.video)
        self.answers.append(answer)

    def close(self) -> None:
        """Write the timeline.

        Raises:
            UsageError: The format cannot hold all these videos (their frame rates differ).
        """
        self.stream.write(self.text(timeline_of(self.answers, self.sources)))

    @staticmethod
    @abstractmethod
    def text(timeline: Timeline) -> str:
        """Return a timeline in this format."""


class OtioWriter(TimelineWriter):
    """Write OpenTimelineIO."""

    text = staticmethod(otio_text)


class EdlWriter(TimelineWriter):
    """Write CMX3600 edit decision lists."""

    text = staticmethod(edl_text)


class FcpxmlWriter(TimelineWriter):
    """Write FCPXML."""

    text = staticmethod(fcpxml_text)


class MarkersWriter(TimelineWriter):
    """Write markers as CSV."""

    text = staticmethod(markers_text)

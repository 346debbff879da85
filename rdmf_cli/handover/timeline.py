"""The timeline of all formats for editors: several videos, each with its own frame rate.

Frames are numbered in their video, from 0. A span [first, stop) does not include the frame `stop`,
like the out-point of an editor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from rdmf_cli.handover.timecode import Counting
from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.text import one_line
from rdmf_cli.video.timeline import exact

FIRST_CODE = "01:00:00:00"  # the usual start of a timeline
UNTOLD = Counting(Fraction(25))  # for a timeline without a video


@dataclass(frozen=True)
class Source:
    """A video, with the properties that editors need.

    Attributes:
        path: The file.
        counting: The numbering of its frames, at a rate that editors support.
        start: The number of the video's first frame, by the time code of the file; 0: the file has
            no time code.
        frames: Number of frames, at that rate.
        begins: Time of the first frame in seconds, as a player shows it.
        width: Width of the picture as shown, in pixels.
        height: Height of the picture as shown, in pixels.
        sound_channels: Channels of its first sound track; 0: no sound.
        sound_rate: Samples per second; 0: no sound.
        varies: Whether its frame rate varies.
    """

    path: Path
    counting: Counting
    start: int
    frames: int
    begins: Fraction = Fraction(0)
    width: int = 1920
    height: int = 1080
    sound_channels: int = 0
    sound_rate: int = 0
    varies: bool = False

    @property
    def rate(self) -> Fraction:
        """The frames per second."""
        return self.counting.rate

    def frame_at(self, seconds: float) -> int:
        """Return the frame that begins nearest to a time (seconds, as a player shows it)."""
        since_first = exact(seconds) - self.begins
        return min(max(_rounded(since_first * self.rate), 0), self.frames)

    def span(self, start: float, end: float) -> tuple[int, int]:
        """Return the frames [first, stop) of a span in seconds; at least one frame."""
        first = min(self.frame_at(start), max(self.frames - 1, 0))
        return first, max(self.frame_at(end), first + 1)


@dataclass(frozen=True)
class Event:
    """A moment on the timeline.

    Attributes:
        source: The video of the moment.
        first: The first frame of the moment in the video.
        stop: The first frame after the moment.
        at: The start of the moment on the timeline, in frames of the timeline, from 0.
        length: The length of the moment on the timeline, in frames of the timeline.
        moment: The moment.
        query: The query.
        presence: Probability that the query is anywhere in the video.
    """

    source: Source
    first: int
    stop: int
    at: int
    length: int
    moment: Moment
    query: str
    presence: float

    @property
    def label(self) -> str:
        """The label in the editor: rank, query and score."""
        return label_of(self.moment, self.query)

    @property
    def codes(self) -> tuple[str, str]:
        """The in-point and (exclusive) out-point in the video, as time codes."""
        count, start = self.source.counting, self.source.start
        return count.code(start + self.first), count.code(start + self.stop)


@dataclass(frozen=True)
class Timeline:
    """A sequence of events without gaps.

    Attributes:
        title: The title of the timeline.
        counting: The numbering of its frames, as in the first video.
        events: The moments, by video, and by time within a video.
    """

    title: str
    counting: Counting
    events: tuple[Event, ...]

    @property
    def start(self) -> int:
        """The number of the first frame of the timeline: 01:00:00:00."""
        return self.counting.frame_of(FIRST_CODE)

    @property
    def length(self) -> int:
        """The length of the timeline, in frames of the timeline."""
        return sum(event.length for event in self.events)

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The videos of the timeline, each once, in order of appearance."""
        return tuple(dict.fromkeys(event.source for event in self.events))


def timeline_of(
    answers: Iterable[Answer], sources: Mapping[str, Source], title: str = "rdmf"
) -> Timeline:
    """Make a timeline of all moments, one after another.

    Args:
        answers: The answers; videos have the order of their first answer.
        sources: The videos, by `Answer.video`.
        title: Title of the timeline.
    """
    grouped: dict[str, list[tuple[Moment, Answer]]] = {}
    for answer in answers:
        if not answer.moments:
            continue
        grouped.setdefault(answer.video, []).extend((m, answer) for m in answer.moments)
    counting = sources[next(iter(grouped))].counting if grouped else UNTOLD
    events: list[Event] = []
    at = 0
    for video, found in grouped.items():
        for moment, answer in sorted(found, key=lambda pair: (pair[0].start, pair[0].end)):
            first, stop = sources[video].span(moment.start, moment.end)
            length = _length(stop - first, sources[video].rate, counting.rate)
            asked = (one_line(answer.query), answer.presence)
            events.append(Event(sources[video], first, stop, at, length, moment, *asked))
            at += length
    return Timeline(one_line(title), counting, tuple(events))


def label_of(moment: Moment, query: str) -> str:
    """Describe a moment in one line: "#1 a cat (0.95)"."""
    return f"#{moment.rank} {one_line(query)} ({moment.score:.2f})"


def _length(frames: int, rate: Fraction, timeline_rate: Fraction) -> int:
    """Convert a number of video frames to a number of timeline frames; at least one."""
    return max(1, _rounded(frames / rate * timeline_rate))


def _rounded(value: Fraction) -> int:
    """Round to the nearest integer; a half is rounded up, as for the number of clips."""
    return int((2 * value + 1) // 2)

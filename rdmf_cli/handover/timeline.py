"""The one timeline behind all formats of hand-over: several videos, each at its own frame rate.

A frame is named by its number in its video, from 0; a span is [first, stop): `stop` is the first
frame that is not shown any more, as the out-point of an editor is.
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

FIRST_CODE = "01:00:00:00"  # of an edit, as is usual
UNTOLD = Counting(Fraction(25))  # of a timeline without a video


@dataclass(frozen=True)
class Source:
    """A video as an editor sees it.

    Attributes:
        path: The file.
        counting: How its frames are counted; the rate is one that editors know.
        start: The number that its first frame has by the file's own time code; 0 where it has none.
        frames: How many frames there are, at that rate.
        begins: The player's time of the first frame, in seconds.
        width: Of the picture as shown, in pixels.
        height: Of the picture as shown, in pixels.
        sound_channels: Of its first sound track; 0: no sound.
        sound_rate: Samples per second; 0: no sound.
        varies: Its frames do not follow one another at one rate.
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
        """Frames per second."""
        return self.counting.rate

    def frame_at(self, seconds: float) -> int:
        """Find the frame that begins nearest to a player's time; `frames` for the end."""
        since_first = exact(seconds) - self.begins
        return min(max(_rounded(since_first * self.rate), 0), self.frames)

    def span(self, start: float, end: float) -> tuple[int, int]:
        """Find the frames [first, stop) of a span in player's seconds: at least one."""
        first = min(self.frame_at(start), max(self.frames - 1, 0))
        return first, max(self.frame_at(end), first + 1)


@dataclass(frozen=True)
class Event:
    """A moment on the timeline.

    Attributes:
        source: The video that it is of.
        first: Its first frame in the video.
        stop: The first frame after it.
        at: Where it begins on the timeline, in frames of the timeline, from 0.
        length: How long it lasts there, in frames of the timeline.
        moment: What was found.
        query: What was asked.
        presence: How likely the query is shown anywhere in the video.
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
        """What an editor reads: rank, query, score."""
        return label_of(self.moment, self.query)

    @property
    def codes(self) -> tuple[str, str]:
        """In-point and out-point in the video, as time codes; the out-point is exclusive."""
        count, start = self.source.counting, self.source.start
        return count.code(start + self.first), count.code(start + self.stop)


@dataclass(frozen=True)
class Timeline:
    """Events one after another, without gaps.

    Attributes:
        title: What it is called.
        counting: How its own frames are counted: as in the first video.
        events: The moments, by video, and by time within a video.
    """

    title: str
    counting: Counting
    events: tuple[Event, ...]

    @property
    def start(self) -> int:
        """The number of its first frame: 01:00:00:00."""
        return self.counting.frame_of(FIRST_CODE)

    @property
    def length(self) -> int:
        """How long it lasts, in its own frames."""
        return sum(event.length for event in self.events)

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Its videos, each once, in order of appearance."""
        return tuple(dict.fromkeys(event.source for event in self.events))


def timeline_of(
    answers: Iterable[Answer], sources: Mapping[str, Source], title: str = "rdmf"
) -> Timeline:
    """Lay the moments of answers one after another.

    Args:
        answers: What was found; the videos follow one another in the order of their first answer.
        sources: The videos by `Answer.video`.
        title: What the timeline is called.
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
    """Name a moment in a line: "#1 a cat (0.95)"."""
    return f"#{moment.rank} {one_line(query)} ({moment.score:.2f})"


def _length(frames: int, rate: Fraction, timeline_rate: Fraction) -> int:
    """How many frames of the timeline a number of a video's frames last: at least one."""
    return max(1, _rounded(frames / rate * timeline_rate))


def _rounded(value: Fraction) -> int:
    """Round to the nearest whole number; a half goes up, as a clip's number of frames does."""
    return int((2 * value + 1) // 2)

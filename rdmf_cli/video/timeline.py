"""Time as a type: exact timestamps, and the grid of clips a video is cut into."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, total_ordering

from rdmf_cli.errors import RdmfError, UsageError


@total_ordering
@dataclass(frozen=True, eq=False)
class Timestamp:
    """An instant, exact: `pts` ticks of `time_base` seconds each.

    >>> Timestamp(1001, Fraction(1, 30000)).seconds
    0.033366666666666666
    >>> Timestamp(1, Fraction(1, 2)) == Timestamp(512, Fraction(1, 1024))
    True
    """

    pts: int
    time_base: Fraction

    @property
    def exact(self) -> Fraction:
        """Seconds, without rounding."""
        return self.pts * self.time_base

    @property
    def seconds(self) -> float:
        return float(self.exact)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.exact == other.exact

    def __lt__(self, other: Timestamp) -> bool:
        if not isinstance(other, Timestamp):
            return NotImplemented
        return self.exact < other.exact

    def __hash__(self) -> int:
        return hash(self.exact)


@dataclass(frozen=True)
class ClipGrid:
    """A video of `duration` seconds cut into clips of `clip_length` seconds.

    Clip i covers [i * clip_length, (i + 1) * clip_length). There are round-half-up(duration /
    clip_length) of them, at least one, as the field's features have it: a last piece shorter than
    half a clip is not a clip. `first` and `last` (exclusive; None: to the end) name the part of the
    grid that is looked at; clip numbers stay those of the whole video.

    >>> ClipGrid(21.0, 2.0).count
    11
    >>> list(ClipGrid(20.0, 2.0).part(5.0, 8.5).indices)
    [2, 3, 4]
    """

    duration: float
    clip_length: float
    first: int = 0
    last: int | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.clip_length) and self.clip_length > 0):
            raise UsageError(
                f"a clip length of {self.clip_length} seconds is not possible",
                "--clip-length",
                "give a number above zero, such as 2",
            )
        if not (math.isfinite(self.duration) and self.duration >= 0):
            raise ValueError(f"a video cannot last {self.duration} seconds")

    @property
    def count(self) -> int:
        """Number of clips in the whole video, whatever the part."""
        return max(1, math.floor(exact(self.duration) / exact(self.clip_length) + Fraction(1, 2)))

    @property
    def indices(self) -> range:
        """The clip numbers of the part (of the whole video where there is none)."""
        last = self.count if self.last is None else min(self.last, self.count)
        return range(self.first, last)

    def __len__(self) -> int:
        return len(self.indices)

    def start(self, index: int) -> Fraction:
        """Where clip `index` begins, in seconds, exact."""
        return index * exact(self.clip_length)

    def middle(self, index: int) -> Fraction:
        """The middle of clip `index`, in seconds, exact."""
        return (index + Fraction(1, 2)) * exact(self.clip_length)

    def span(self, index: int) -> tuple[float, float]:
        """(start, end) of clip `index` in seconds."""
        return float(self.start(index)), float(self.start(index + 1))

    @property
    def spans(self) -> list[tuple[float, float]]:
        """(start, end) in seconds of every clip of the part, in order."""
        return [self.span(i) for i in self.indices]

    def part(
        self,
        start: float | None = None,
        end: float | None = None,
        path: str | os.PathLike[str] | None = None,
        begins: float = 0.0,
    ) -> ClipGrid:
        """The clips that overlap [start, end), in seconds; None: from or to the video's end.

        begins: the player's time of the first picture, from which the clips count; `start` and
                `end` are player's times

        Raises UsageError where nothing lies between the two, and RdmfError, naming the file at
        `path`, where the video ends before the part begins.
        """
        start = 0.0 if start is None else max(0.0, start)
        end = math.inf if end is None else end
        if end <= start:
            raise UsageError(
                f"the part from {start:g} s to {end:g} s is empty",
                todo="let it end after it starts",
            )
        if end <= begins:
            raise RdmfError(
                f"the part ends at {end:g} s, but the picture begins at {begins:.1f} s",
                path,
                "end later",
            )
        if start > 0 and start >= begins + self.duration:
            raise RdmfError(
                f"the part starts at {start:g} s, but the video ends at "
                f"{begins + self.duration:.1f} s",
                path,
                "start earlier",
            )
        start, end = max(0.0, _less(start, begins)), _less(end, begins)
        first = min(math.floor(exact(start) / exact(self.clip_length)), self.count - 1)
        last = self.count
        if math.isfinite(end):
            last = min(last, math.ceil(exact(end) / exact(self.clip_length)))
        return replace(self, first=first, last=max(last, first + 1))


def _less(seconds: float, begins: float) -> float:
    """The difference of the decimal numbers that are meant."""
    return seconds if math.isinf(seconds) else float(exact(seconds) - exact(begins))


@lru_cache(maxsize=1024)
def exact(seconds: float | Fraction) -> Fraction:
    """The decimal number that a person means by a float: 0.1 is one tenth."""
    return seconds if isinstance(seconds, Fraction) else Fraction(str(seconds))

"""Exact timestamps, and the grid of clips of a video."""

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
    """An exact point in time: `pts` ticks of `time_base` seconds each.

    >>> Timestamp(1001, Fraction(1, 30000)).seconds
    0.033366666666666666
    >>> Timestamp(1, Fraction(1, 2)) == Timestamp(512, Fraction(1, 1024))
    True
    """

    pts: int
    time_base: Fraction

    @property
    def exact(self) -> Fraction:
        """The time in seconds, without rounding."""
        return self.pts * self.time_base

    @property
    def seconds(self) -> float:
        """The time in seconds, rounded to a float."""
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

    Clip i covers [i * clip_length, (i + 1) * clip_length). The number of clips is duration /
    clip_length, rounded half up, and at least one, as in the features published for the benchmarks:
    a remainder shorter than half a clip is not a clip. A grid may stand for a part of the video;
    clips keep their numbers in the whole video.

    Args:
        duration: Length of the video in seconds.
        clip_length: Length of a clip in seconds.
        first: First clip of the part.
        last: One past the last clip of the part; None: to the end.

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
                f"must be a number above 0, not {self.clip_length}",
                "--clip-length",
                "give seconds, such as 2",
            )
        if not (math.isfinite(self.duration) and self.duration >= 0):
            raise ValueError(f"a video cannot last {self.duration} seconds")

    @property
    def count(self) -> int:
        """The number of clips in the whole video, not only in the part."""
        return max(1, math.floor(exact(self.duration) / exact(self.clip_length) + Fraction(1, 2)))

    @property
    def indices(self) -> range:
        """The numbers of the clips in the part, or in the whole video if there is no part."""
        last = self.count if self.last is None else min(self.last, self.count)
        return range(self.first, last)

    def __len__(self) -> int:
        return len(self.indices)

    def start(self, index: int) -> Fraction:
        """Return the start of clip `index` in seconds, exact."""
        return index * exact(self.clip_length)

    def middle(self, index: int) -> Fraction:
        """Return the middle of clip `index` in seconds, exact."""
        return (index + Fraction(1, 2)) * exact(self.clip_length)

    def span(self, index: int) -> tuple[float, float]:
        """Return (start, end) of clip `index` in seconds."""
        return float(self.start(index)), float(self.start(index + 1))

    @property
    def spans(self) -> list[tuple[float, float]]:
        """The (start, end) in seconds of every clip of the part, in order."""
        return [self.span(i) for i in self.indices]

    def part(
        self,
        start: float | None = None,
        end: float | None = None,
        path: str | os.PathLike[str] | None = None,
        begins: float = 0.0,
    ) -> ClipGrid:
        """Return the grid of the clips that overlap [start, end).

        Args:
            start: Start of the part in seconds, as a player shows it; None: from the beginning.
            end: End of the part in seconds, as a player shows it; None: to the end.
            path: The video, for errors.
            begins: The time at which a player shows the first picture, in seconds. Clip 0 starts
                there.

        Raises:
            UsageError: `end` is not after `start`.
            RdmfError: The whole part lies after the end of the video, or before its first picture.
        """
        start = 0.0 if start is None else max(0.0, start)
        end = math.inf if end is None else end
        if end <= start:
            raise UsageError(f"must be after --start ({start:g} s)", f"--end ({end:g} s)")
        if end <= begins:
            raise RdmfError(
                f"--end is {end:g} s, but the first picture is shown at {begins:.1f} s",
                path,
                "give a later --end",
            )
        if start > 0 and start >= begins + self.duration:
            raise RdmfError(
                f"--start is {start:g} s, but the video ends at {begins + self.duration:.1f} s",
                path,
                "give an earlier --start",
            )
        start, end = max(0.0, _less(start, begins)), _less(end, begins)
        first = min(math.floor(exact(start) / exact(self.clip_length)), self.count - 1)
        last = self.count
        if math.isfinite(end):
            last = min(last, math.ceil(exact(end) / exact(self.clip_length)))
        return replace(self, first=first, last=max(last, first + 1))


def _less(seconds: float, begins: float) -> float:
    """Subtract as decimal numbers: 0.3 - 0.1 is exactly 0.2."""
    return seconds if math.isinf(seconds) else float(exact(seconds) - exact(begins))


@lru_cache(maxsize=1024)
def exact(seconds: float | Fraction) -> Fraction:
    """Return the decimal number that a float was written as: 0.1 is exactly one tenth."""
    return seconds if isinstance(seconds, Fraction) else Fraction(str(seconds))

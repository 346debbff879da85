"""Time codes: frames counted as hh:mm:ss:ff, with and without dropped numbers (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

NTSC = 1001  # the denominator of 29.97 and its kin
DAY = 24 * 3600  # seconds
WRITTEN = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})([:;.,])(\d{1,3})")


@dataclass(frozen=True)
class Counting:
    """How the frames of one rate are numbered.

    A time code counts as if there were a whole number of frames per second. At 30000/1001 it falls
    behind the clock by 3.6 s per hour; a drop-frame code leaves out numbers to keep up: the first
    two of every minute that is not a multiple of ten (four at 60000/1001). No frame is dropped.

    Attributes:
        rate: Frames per second.
        drop: Numbers are left out.

    >>> Counting(Fraction(30000, 1001), drop=True).code(1800)
    '00:01:00;02'
    """

    rate: Fraction
    drop: bool = False

    def __post_init__(self) -> None:
        if self.drop and not can_drop(self.rate):
            raise ValueError(f"no drop-frame time code counts {self.rate} frames per second")

    @property
    def base(self) -> int:
        """Frames that a time code counts per second: 30 for 30000/1001."""
        return round(self.rate)

    @property
    def frame(self) -> Fraction:
        """How long a frame is shown, in seconds."""
        return 1 / self.rate

    def code(self, frame: int) -> str:
        """Write the time code of a frame, counted from 00:00:00:00; after a day it starts anew."""
        number = (frame + self._left_out(frame)) % (DAY * self.base)
        seconds, frames = divmod(number, self.base)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        mark = ";" if self.drop else ":"
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{frames:02d}"

    def frame_of(self, code: str) -> int:
        """Count the frames from 00:00:00:00 to a time code.

        A code that is left out stands for the next one that is not.

        Raises:
            ValueError: It is no time code of this rate.
        """
        match = WRITTEN.fullmatch(code.strip())
        if match is None:
            raise ValueError(f"{code!r} is no time code")
        hours, minutes, seconds, frames = (int(match[i]) for i in (1, 2, 3, 5))
        if minutes > 59 or seconds > 59 or frames >= self.base:
            raise ValueError(f"{code!r} is no time code at {self.base} frames per second")
        number = ((hours * 60 + minutes) * 60 + seconds) * self.base + frames
        if not self.drop:
            return number
        per_minute, whole = self._dropped, hours * 60 + minutes
        if minutes % 10 and seconds == 0:
            number = max(number, whole * 60 * self.base + per_minute)
        return number - per_minute * (whole - whole // 10)

    @property
    def _dropped(self) -> int:
        """Numbers that are left out per minute: 2 at 30, 4 at 60."""
        return self.base // 15

    def _left_out(self, frame: int) -> int:
        """How many numbers are left out before a frame."""
        if not self.drop:
            return 0
        ten_minutes = 600 * self.base - 9 * self._dropped
        minute = 60 * self.base - self._dropped
        tens, rest = divmod(frame, ten_minutes)
        # The first of ten minutes is whole; each of the others begins with a gap.
        later = max(0, rest - self._dropped) // minute
        return self._dropped * (9 * tens + later)


def can_drop(rate: Fraction) -> bool:
    """Tell whether drop-frame time codes exist for a rate: 29.97 and its multiples."""
    return rate.denominator == NTSC and round(rate) % 30 == 0

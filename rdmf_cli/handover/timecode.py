"""Time codes: frames counted as hh:mm:ss:ff, with and without dropped numbers (SMPTE ST 12-1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

NTSC = 1001  # the denominator of 29.97 and similar rates
DAY = 24 * 3600  # seconds
WRITTEN = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})([:;.,])(\d{1,3})")


@dataclass(frozen=True)
class Counting:
    """The numbering of frames at one rate.

    >>> Counting(Fraction(30000, 1001), drop=True).code(1800)
    '00:01:00;02'

    A time code counts a whole number of frames per second, so at 30000/1001 it falls behind the
    clock by 3.6 s per hour. A drop-frame time code therefore skips numbers: the first two (at
    60000/1001: four) of every minute that is not a multiple of ten. No frame is dropped.

    Attributes:
        rate: Frames per second.
        drop: Whether numbers are skipped (drop-frame).
    """

    rate: Fraction
    drop: bool = False

    def __post_init__(self) -> None:
        if self.drop and not can_drop(self.rate):
            raise ValueError(f"there is no drop-frame time code for {self.rate} frames per second")

    @property
    def base(self) -> int:
        """The frames per second that a time code counts: 30 for 30000/1001."""
        return round(self.rate)

    @property
    def frame(self) -> Fraction:
        """The duration of a frame in seconds."""
        return 1 / self.rate

    def code(self, frame: int) -> str:
        """Return the time code of a frame, counted from 00:00:00:00; it restarts after a day."""
        number = (frame + self._left_out(frame)) % (DAY * self.base)
        seconds, frames = divmod(number, self.base)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        mark = ";" if self.drop else ":"
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{frames:02d}"

    def frame_of(self, code: str) -> int:
        """Return the number of frames from 00:00:00:00 to a time code.

        A time code that does not exist in drop-frame counts as the next existing time code.

        Raises:
            ValueError: The text is not a time code of this rate.
        """
        match = WRITTEN.fullmatch(code.strip())
        if match is None:
            raise ValueError(f"{code!r} is not a time code")
        hours, minutes, seconds, frames = (int(match[i]) for i in (1, 2, 3, 5))
        if minutes > 59 or seconds > 59 or frames >= self.base:
            raise ValueError(f"{code!r} is not a time code at {self.base} frames per second")
        number = ((hours * 60 + minutes) * 60 + seconds) * self.base + frames
        if not self.drop:
            return number
        per_minute, whole = self._dropped, hours * 60 + minutes
        if minutes % 10 and seconds == 0:
            number = max(number, whole * 60 * self.base + per_minute)
        return number - per_minute * (whole - whole // 10)

    @property
    def _dropped(self) -> int:
        """The number of skipped numbers per minute: 2 at 30, 4 at 60."""
        return self.base // 15

    def _left_out(self, frame: int) -> int:
        """Return how many numbers are skipped before a frame."""
        if not self.drop:
            return 0
        ten_minutes = 600 * self.base - 9 * self._dropped
        minute = 60 * self.base - self._dropped
        tens, rest = divmod(frame, ten_minutes)
        # The first of ten minutes skips no numbers; each of the nine other minutes does.
        later = max(0, rest - self._dropped) // minute
        return self._dropped * (9 * tens + later)


def can_drop(rate: Fraction) -> bool:
    """Return whether drop-frame time codes exist for a rate: 29.97 and its multiples."""
    return rate.denominator == NTSC and round(rate) % 30 == 0

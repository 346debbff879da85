"""Which constant frame rate a video has, or is edited at."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

NTSC = {base: Fraction(base * 1000, 1001) for base in (24, 30, 48, 60)}
STANDARD = (
    *(NTSC[24], Fraction(24), Fraction(25), NTSC[30], Fraction(30)),
    *(NTSC[48], Fraction(48), Fraction(50), NTSC[60], Fraction(60)),
)
"""The frame rates that editing programs know, ascending."""

TOLERANCE = Fraction(1, 900)  # seconds; Matroska and FLV round times to milliseconds
FASTEST = 300  # frames per second; a rate beyond it is a time base, not a rate


def frame_rate_of(
    times: np.ndarray, time_base: Fraction, declared: Iterable[Fraction | None] = ()
) -> Fraction | None:
    """Find the constant rate on whose grid all frames lie; missing frames are allowed.

    Args:
        times: When the frames are shown, ascending, int64 (F,), ticks of `time_base`.
        time_base: Seconds per tick.
        declared: What the file says of itself, tried first; None where it says nothing.

    Returns:
        Frames per second, or None where the rate varies.
    """
    told = [rate for rate in declared if rate and rate <= FASTEST]
    for rate in dict.fromkeys([*told, *STANDARD]):
        if _steps_by_one(times, time_base, rate) and _on_grid(times, time_base, rate):
            return rate
    return None


def editing_rate(times: np.ndarray, time_base: Fraction, rate: Fraction | None) -> Fraction:
    """Choose the standard rate at which a video is edited.

    A standard rate is kept. Any other constant rate (15, 12.5) goes to the least multiple that is
    standard, so that its frames still begin on frames; where there is none, and where the rate
    varies, it goes to the nearest.

    Args:
        times: When the frames are shown, ascending, int64 (F,), ticks of `time_base`.
        time_base: Seconds per tick.
        rate: The constant rate, or None.
    """
    if rate in STANDARD:
        return rate
    if rate is not None:
        multiples = [s for s in STANDARD if (s / rate).denominator == 1]
        if multiples:
            return multiples[0]
    usual = rate or _usual_rate(times, time_base)
    return min(STANDARD, key=lambda standard: abs(standard - usual))


def _usual_rate(times: np.ndarray, time_base: Fraction) -> Fraction:
    """Count frames per second on average, holes left out."""
    if len(times) < 2:
        return Fraction(25)
    steps = np.diff(times)
    usual = steps[steps <= 2 * np.median(steps)]
    return 1 / (Fraction(float(usual.mean())) * time_base)


def _on_grid(times: np.ndarray, time_base: Fraction, rate: Fraction) -> bool:
    """Whether every time is that of a frame of the rate, up to the rounding of the container.

    In whole numbers, as floating point would lose a frame after hours.
    """
    top, bottom = (1 / (time_base * rate)).as_integer_ratio()  # ticks per frame
    ticks = (times - times[0]) * bottom
    error = np.abs(ticks - (2 * ticks + top) // (2 * top) * top)
    allowed = min(max(time_base, TOLERANCE), 1 / rate / 4) / time_base * bottom
    return bool((error <= float(allowed)).all())


def _steps_by_one(times: np.ndarray, time_base: Fraction, rate: Fraction) -> bool:
    """Whether most frames follow one another at the rate, so that it is no multiple of theirs."""
    if len(times) < 2:
        return True
    return round(float(np.median(np.diff(times))) * float(time_base * rate)) == 1

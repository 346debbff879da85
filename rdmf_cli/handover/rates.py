"""The constant frame rate of a video, and the standard frame rate to edit it at."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

NTSC = {base: Fraction(base * 1000, 1001) for base in (24, 30, 48, 60)}
STANDARD = (
    *(NTSC[24], Fraction(24), Fraction(25), NTSC[30], Fraction(30)),
    *(NTSC[48], Fraction(48), Fraction(50), NTSC[60], Fraction(60)),
)
"""The frame rates that editing programs support, ascending."""

TOLERANCE = Fraction(1, 900)  # seconds; Matroska and FLV round times to milliseconds
FASTEST = 300  # frames per second; a higher stated rate is really a time base


def frame_rate_of(
    times: np.ndarray, time_base: Fraction, declared: Iterable[Fraction | None] = ()
) -> Fraction | None:
    """Find the constant rate of all frames; single frames may be missing.

    Args:
        times: Presentation times of the frames, ascending, int64 (F,), in ticks of `time_base`.
        time_base: Seconds per tick.
        declared: Rates that the file states; they are tried first. None: not stated.

    Returns:
        Frames per second; None: the rate varies.
    """
    stated = [rate for rate in declared if rate and rate <= FASTEST]
    for rate in dict.fromkeys([*stated, *STANDARD]):
        if _steps_by_one(times, time_base, rate) and _on_grid(times, time_base, rate):
            return rate
    return None


def editing_rate(times: np.ndarray, time_base: Fraction, rate: Fraction | None) -> Fraction:
    """Choose the standard frame rate to edit a video at.

    A standard rate is kept. For another constant rate (15, 12.5), the smallest standard multiple is
    chosen, so that each frame of the video begins with a frame of the timeline. If there is none,
    or the rate varies, the nearest standard rate is chosen.

    Args:
        times: Presentation times of the frames, ascending, int64 (F,), in ticks of `time_base`.
        time_base: Seconds per tick.
        rate: The constant rate; None: the rate varies.
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
    """Return the average number of frames per second, without holes."""
    if len(times) < 2:
        return Fraction(25)
    steps = np.diff(times)
    usual = steps[steps <= 2 * np.median(steps)]
    return 1 / (Fraction(float(usual.mean())) * time_base)


def _on_grid(times: np.ndarray, time_base: Fraction, rate: Fraction) -> bool:
    """Return whether all times are multiples of the frame duration, except for rounding.

    The function counts in integers: floating-point numbers would be wrong by a frame after hours.
    """
    top, bottom = (1 / (time_base * rate)).as_integer_ratio()  # ticks per frame
    ticks = (times - times[0]) * bottom
    error = np.abs(ticks - (2 * ticks + top) // (2 * top) * top)
    allowed = min(max(time_base, TOLERANCE), 1 / rate / 4) / time_base * bottom
    return bool((error <= float(allowed)).all())


def _steps_by_one(times: np.ndarray, time_base: Fraction, rate: Fraction) -> bool:
    """Return whether the distance of most frames is one frame duration, not several."""
    if len(times) < 2:
        return True
    return round(float(np.median(np.diff(times))) * float(time_base * rate)) == 1

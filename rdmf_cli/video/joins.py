"""Recordings joined end to end: where a file's times start anew, time goes on."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

MISSING = np.iinfo(np.int64).min
# MPEG counts time in 33 bits. Where it falls, FFmpeg takes it for a counter that ran over.
OVERFLOW_TICKS = 1 << 32
OVERFLOWING = {"mpegts", "mpeg"}
# A fall of so many frames is more than disorder among neighbours.
FALL_STEPS = 2
# A leap is one from so many seconds on; it belongs to a fall that is at most so many packets away.
LEAP_SECONDS = 1
NEAR_PACKETS = 32
# The first packets of a recording, among which its first picture is.
LEAD_PACKETS = 16


def find_joins(dts: np.ndarray, time_base: Fraction, overflows: bool) -> np.ndarray:
    """Return the numbers of the packets that begin a recording, but for the first, int64 (J,).

    dts: decoding times int64 (N,) in ticks of `time_base`, MISSING where unknown
    overflows: times count to 33 bits, and FFmpeg mends what looks like an overflow

    A recording begins where decoding times fall back. Where they leap forward close to such a
    fall, they do so because of it; other leaps are holes in a recording, and stay.
    """
    known = np.flatnonzero(dts != MISSING)
    steps = np.diff(dts[known])
    forward = steps[steps > 0]
    if not len(forward):
        return np.empty(0, np.int64)
    falls = steps < -FALL_STEPS * np.median(forward)
    leaps = steps > max(LEAP_SECONDS / time_base, FALL_STEPS * np.median(forward))
    if overflows:
        falls |= steps > OVERFLOW_TICKS
    at = np.flatnonzero(falls)
    near = [i for i in np.flatnonzero(leaps & ~falls).tolist() if _distance(at, i) <= NEAR_PACKETS]
    return known[np.union1d(at, np.array(near, np.int64)) + 1]


def _distance(places: np.ndarray, place: int) -> float:
    return float(np.abs(places - place).min()) if len(places) else np.inf


def shifts_of(joins: np.ndarray, pts: np.ndarray, dts: np.ndarray, step: int) -> np.ndarray:
    """Return the ticks to add to the times of each packet, int64 (N,), so that time goes on.

    step: ticks that the last frame of a recording is shown for
    """
    times = np.where(pts == MISSING, dts, pts)
    shifts = np.zeros(len(times), np.int64)
    edges = [0, *joins.tolist(), len(times)]
    end = None
    for start, stop in pairwise(edges):
        own = times[start:stop]
        own = own[own != MISSING]
        if not len(own):
            shifts[start:stop] = shifts[start - 1] if start else 0
            continue
        if end is not None:
            shifts[start:stop] = end - int(own[:LEAD_PACKETS].min())
        end = int(own.max()) + int(shifts[start]) + step
    return shifts

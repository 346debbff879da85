"""Recordings joined end to end: time continues when a file's time stamps restart."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import numpy as np

MISSING = np.iinfo(np.int64).min
# MPEG counts time in 33 bits. If the time falls back, FFmpeg assumes an overflow of the counter.
OVERFLOW_TICKS = 1 << 32
OVERFLOWING = {"mpegts", "mpeg"}
# A fall of the time by more frames than this is no mere disorder among neighbouring packets.
FALL_STEPS = 2
# An increase by more seconds than this is a leap; a leap near a fall belongs to the fall.
LEAP_SECONDS = 1
NEAR_PACKETS = 32
# The first picture of a recording is among its first packets: among this many.
LEAD_PACKETS = 16


def find_joins(dts: np.ndarray, time_base: Fraction, overflows: bool) -> np.ndarray:
    """Find the packets that begin another recording.

    A recording begins where decoding times jump back, or jump forward near such a jump back. Other
    jumps forward are holes in a recording and stay in the timeline.

    Args:
        dts: Decoding times, int64 (N,), in ticks of `time_base`; MISSING if unknown.
        time_base: Seconds per tick.
        overflows: The container counts time in 33 bits, and FFmpeg corrects supposed overflows.

    Returns:
        Numbers of the packets, ascending, without the file's first packet, int64 (J,).
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
    """Compute the shifts that make time continue from one recording to the next.

    Args:
        joins: Numbers of the packets that begin another recording, int64 (J,).
        pts: Presentation times, int64 (N,), in ticks; MISSING if unknown.
        dts: Decoding times, int64 (N,), in ticks; MISSING if unknown.
        step: Duration of the last frame of a recording, in ticks.

    Returns:
        The ticks to add to the times of each packet, int64 (N,).
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


# The first bytes of files, for the containers in which FFmpeg reads only the first recording.
BEGINNINGS = {
    "flv": re.compile(rb"FLV\x01[\x00-\x05]\x00\x00\x00\x09"),
    "asf": re.compile(re.escape(UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c").bytes_le)),
    "wtv": re.compile(re.escape(UUID("2000d8b7-4937-11da-a64e-0007e95ead8d").bytes_le)),
    "nut": re.compile(rb"nut/multimedia container\0"),
    "mov,mp4,m4a,3gp,3g2,mj2": re.compile(rb"\x00\x00\x00[\x08-\xff]ftyp"),
}
SEARCHED_BYTES = 16 << 20  # after the last packet, which an index may follow


def second_recording(path: Path, container: str, read_to: int) -> tuple[str, ...]:
    """Return a warning if a second recording follows the recording that was read.

    Args:
        path: The file.
        container: FFmpeg's name of its container.
        read_to: The end of the second-to-last packet, in bytes. (In NUT, FFmpeg reads one packet
            of the second recording.)
    """
    if container not in BEGINNINGS:
        return ()
    start = max(1, read_to)
    with path.open("rb") as file:
        file.seek(start)
        found = BEGINNINGS[container].search(file.read(SEARCHED_BYTES))
    if found is None:
        return ()
    at = start + found.start()
    return (f"a second recording begins at byte {at:,} and is not read; cut the file there",)

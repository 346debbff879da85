"""Which frame each clip wants, and which packets must be decoded to have it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .packets import Timeline
from .timeline import ClipGrid


def wanted_frames(shown: np.ndarray, time_base: Fraction, grid: ClipGrid) -> np.ndarray:
    """The presentation time of each clip's frame, int64, one for each of `grid.indices`.

    It is the last frame strictly before the clip's middle, counted from the first frame; the
    first frame where there is none. That is what FFmpeg's `fps=1/clip_length` filter emits, with
    which the published features were made. `shown` is ascending, ticks of `time_base`.
    """
    start = int(shown[0])
    middles = [start + math.ceil(grid.middle(i) / time_base) for i in grid.indices]
    before = np.searchsorted(shown, np.array(middles, np.int64), side="left") - 1
    return shown[np.maximum(before, 0)]


@dataclass(frozen=True)
class Run:
    """Packets [start, stop) to decode in one go, and the frames wanted of them (pts, ascending)."""

    start: int
    stop: int
    wanted: tuple[int, ...]


# A field of an interlaced frame may be a packet of its own, behind the one that carries the time.
TRAILING_PACKETS = 2
# Restarting the decoder drains its threads: reading on is cheaper over so few packets.
WORTH_SKIPPING = 12


def plan_runs(timeline: Timeline, wanted: np.ndarray) -> list[Run]:
    """The stretches of packets that hold the wanted frames, each begun where decoding can begin.

    wanted: presentation times, ascending, each in `timeline.shown`.
    """
    if timeline.ordered:
        return whole_run(timeline, wanted.tolist())
    runs: list[Run] = []
    for pts, packet in zip(wanted.tolist(), _packets_of(timeline, wanted), strict=True):
        start = _entry(timeline, packet, pts)
        stop = min(packet + 1 + TRAILING_PACKETS, len(timeline))
        if runs and start <= runs[-1].stop + WORTH_SKIPPING:
            last = runs.pop()
            run = Run(min(last.start, start), max(last.stop, stop), (*last.wanted, pts))
        else:
            run = Run(start, stop, (pts,))
        runs.append(run)
    return runs


def whole_run(timeline: Timeline, wanted: list[int]) -> list[Run]:
    """Everything, from the first packet: what works where the key frames cannot be trusted."""
    return [Run(0, len(timeline), tuple(wanted))]


def _packets_of(timeline: Timeline, wanted: np.ndarray) -> list[int]:
    """The packet that carries each wanted time."""
    order = np.argsort(timeline.pts, kind="stable")
    return order[np.searchsorted(timeline.pts[order], wanted)].tolist()


def _entry(timeline: Timeline, packet: int, pts: int) -> int:
    """The key packet from which the frame shown at `pts` can be decoded.

    A frame decoded after a key frame but shown before it (open GOP) leans on the GOP before.
    """
    at = int(np.searchsorted(timeline.keys, packet, side="right")) - 1
    while at > 0 and timeline.pts[timeline.keys[at]] > pts:
        at -= 1
    return int(timeline.keys[at]) if at >= 0 else 0


def index_of_frames(timeline: Timeline, wanted: np.ndarray) -> np.ndarray:
    """The number of each wanted frame in display order, from 0."""
    return np.searchsorted(timeline.shown, wanted)

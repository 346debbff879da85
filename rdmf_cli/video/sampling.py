"""The frame that stands for each clip, and the packets to decode for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rdmf_cli.video.packets import Timeline
from rdmf_cli.video.timeline import ClipGrid


def wanted_frames(shown: np.ndarray, time_base: Fraction, grid: ClipGrid) -> np.ndarray:
    """Return the presentation time of each clip's frame.

    The frame of a clip is the last frame strictly before the clip's middle, counted from the first
    frame; if there is no such frame, the first frame. FFmpeg's filter `fps=1/clip_length` emits the
    same frames; the published features were made with this filter.

    Args:
        shown: Presentation times of the frames, ascending, int64 (F,), in ticks.
        time_base: Seconds per tick.
        grid: The clips.

    Returns:
        int64 (L,), in ticks, one for each of `grid.indices`.
    """
    start = int(shown[0])
    middles = [start + math.ceil(grid.middle(i) / time_base) for i in grid.indices]
    before = np.searchsorted(shown, np.array(middles, np.int64), side="left") - 1
    times: np.ndarray = shown[np.maximum(before, 0)]
    return times


def nearest_keys(timeline: Timeline, wanted: np.ndarray) -> np.ndarray:
    """Return the key frame nearest to each frame; of two equally near, the earlier one.

    If the file does not state reliable times or key frames, the frames stay as they are.

    Args:
        timeline: The packets.
        wanted: Presentation times of frames, int64 (L,), in ticks.

    Returns:
        Presentation times, int64 (L,), in ticks.
    """
    keys = np.intersect1d(timeline.pts[timeline.keys], timeline.shown)
    if timeline.ordered or not len(keys):
        return wanted
    after = np.clip(np.searchsorted(keys, wanted), 0, len(keys) - 1)
    before = np.maximum(after - 1, 0)
    is_later = np.abs(keys[after] - wanted) < np.abs(wanted - keys[before])
    nearest: np.ndarray = np.where(is_later, keys[after], keys[before])
    return nearest


@dataclass(frozen=True)
class Run:
    """A run of packets to decode without a seek.

    Attributes:
        start: Number of the run's first packet.
        stop: Number of the first packet after the run.
        wanted: Presentation times of the wanted frames in the run, ascending, in ticks.
    """

    start: int
    stop: int
    wanted: tuple[int, ...]


# The second field of an interlaced frame may be its own packet, after the packet with the time.
TRAILING_PACKETS = 2
# A restart of the decoder drains its threads: for at most this many packets, going on is cheaper.
WORTH_SKIPPING = 12


def plan_runs(timeline: Timeline, wanted: np.ndarray) -> list[Run]:
    """Return the runs of packets that hold the wanted frames; each run starts at a key frame.

    Args:
        timeline: The packets.
        wanted: Presentation times, ascending, each in `timeline.shown`, int64 (F,), in ticks.
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
    """Return one run of all packets, for files with key frames that cannot be trusted."""
    return [Run(0, len(timeline), tuple(wanted))]


def _packets_of(timeline: Timeline, wanted: np.ndarray) -> list[int]:
    """Return the number of the packet that carries each wanted time."""
    order = np.argsort(timeline.pts, kind="stable")
    numbers: list[int] = order[np.searchsorted(timeline.pts[order], wanted)].tolist()
    return numbers


def _entry(timeline: Timeline, packet: int, pts: int) -> int:
    """Return the key packet where decoding must start, to decode the frame shown at `pts`.

    A frame that is decoded after a key frame but shown before it (open GOP) needs the previous GOP.
    """
    at = int(np.searchsorted(timeline.keys, packet, side="right")) - 1
    while at > 0 and timeline.pts[timeline.keys[at]] > pts:
        at -= 1
    return int(timeline.keys[at]) if at >= 0 else 0


def index_of_frames(timeline: Timeline, wanted: np.ndarray) -> np.ndarray:
    """Return the number of each wanted frame in display order, from 0: int64 (F,).

    Args:
        timeline: The packets.
        wanted: Presentation times, each in `timeline.shown`, int64 (F,), in ticks.
    """
    return np.searchsorted(timeline.shown, wanted)

"""From a pattern to candidate moments: the connected parts of its level sets {v >= h}.

All functions take a batch of B rows (queries on videos) of C channels and L clips. A candidate
holds the number of its row. Time and memory are proportional to L (L log L for long videos).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

LEVEL_WINDOW = 128
"""Number of clips of the smallest window that has its own levels.

A longer video is cut into windows: a short moment could lie between two levels of the whole video.
"""

GROWTH = 4
"""Ratio of one window size to the next smaller size. The largest window is the whole video."""


@dataclass(frozen=True)
class Candidates:
    """n candidate moments, ordered by row, start, end.

    Attributes:
        row: (n,) the row (query on a video) to which the candidate belongs.
        start: (n,) the candidate's first clip.
        end: (n,) the clip after the candidate's last clip.
        left: (n,) the candidate's start in clips and fractions of a clip: there the pattern crosses
            the level.
        right: (n,) the candidate's end in clips and fractions of a clip.
        persistence: (n,) number of levels, over all channels, at which exactly these clips are one
            connected part.
    """

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    left: np.ndarray
    right: np.ndarray
    persistence: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def level_sets(
    pattern: np.ndarray, mask: np.ndarray, levels: int = 16, least: int = 0
) -> Candidates:
    """Find every connected part of {pattern >= h} for several h between minimum and maximum.

    Args:
        pattern: (B, C, L) finite.
        mask: (B, L) True at real clips.
        levels: number of heights per channel and window.
        least: leave out candidates with fewer clips, which saves time and memory.

    Returns:
        The candidates. Each row with a real clip also has a candidate from its first to its last
        real clip.
    """
    parts = [_whole(mask), _runs(pattern, mask, levels, least)]
    size = LEVEL_WINDOW
    while size < pattern.shape[-1]:
        if size >= least:
            parts.append(_runs_by_window(pattern, mask, levels, size, least))
        size *= GROWTH
    return _merged(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


Columns = tuple[np.ndarray, ...]
"""row, start, end, left, right of all runs; the same run can occur several times."""


def _whole(mask: np.ndarray) -> Columns:
    rows = np.flatnonzero(mask.any(axis=1))
    clips = np.arange(mask.shape[1])
    start = np.where(mask, clips, len(clips)).min(axis=1, initial=len(clips))[rows]
    end = np.where(mask, clips + 1, 0).max(axis=1, initial=0)[rows]
    return rows, start, end, start.astype(float), end.astype(float)


def _runs(pattern: np.ndarray, mask: np.ndarray, levels: int, least: int) -> Columns:
    low = np.where(mask[:, None], pattern, np.inf).min(axis=2, initial=np.inf)
    high = np.where(mask[:, None], pattern, -np.inf).max(axis=2, initial=-np.inf)
    span = np.where(high > low, high - low, 0.0)  # flat curves and masked rows have no level sets
    share = np.arange(1, levels + 1) / (levels + 1)
    heights = np.where(span > 0, low, np.inf)[..., None] + span[..., None] * share  # (B, C, H)
    above = (pattern[:, :, None, :] >= heights[..., None]) & mask[:, None, None, :]
    runs = _true_runs(above)
    if least:
        runs = tuple(column[runs[-1] - runs[-2] >= least] for column in runs)
    row, channel, level, start, end = runs
    edges = _Edges(pattern, mask, row, channel, heights[row, channel, level])
    return row, start, end, edges.crossing(start, -1), edges.crossing(end - 1, +1)


def _true_runs(above: np.ndarray) -> Columns:
    """Return row, channel, level, first clip and end (exclusive) of each run on the last axis."""
    width = above.shape[-1] + 1
    flat = np.zeros((*above.shape[:-1], width), dtype=bool)  # a False ends every row
    flat[..., :-1] = above
    turns = np.flatnonzero(np.diff(flat.ravel(), prepend=False))
    start, end = turns[::2], turns[1::2]
    line, first = np.divmod(start, width)
    return (*np.unravel_index(line, above.shape[:-1]), first, end - line * width)


@dataclass(frozen=True)
class _Edges:
    """The ends of n runs, where the pattern falls to its level; row, channel, height: (n,)."""

    pattern: np.ndarray
    mask: np.ndarray
    row: np.ndarray
    channel: np.ndarray
    height: np.ndarray

    def crossing(self, clip: np.ndarray, step: int) -> np.ndarray:
        """Return (n,), in clips: where the pattern crosses the level next to a clip.

        The pattern is a straight line from the clip's centre to its neighbour's. If there is no
        neighbour, the result is the border of the clip itself.
        """
        beyond = np.clip(clip + step, 0, self.mask.shape[1] - 1)
        exists = (beyond != clip) & self.mask[self.row, beyond]
        inner = self.pattern[self.row, self.channel, clip]
        outer = self.pattern[self.row, self.channel, beyond]
        fall = np.where(exists, inner - outer, 1.0)
        share = np.where(exists, (inner - self.height) / fall, 0.5)
        crossing: np.ndarray = clip + 0.5 + step * share
        return crossing


def _runs_by_window(
    pattern: np.ndarray, mask: np.ndarray, levels: int, size: int, least: int
) -> Columns:
    """Return the runs within overlapping windows, without runs that a window's border cuts."""
    clips, hop = pattern.shape[-1], size // 2
    count = -(-(clips - size) // hop) + 1
    missing = (count - 1) * hop + size - clips
    padded = np.pad(pattern, ((0, 0), (0, 0), (0, missing)))
    real = np.pad(mask, ((0, 0), (0, missing)))
    windows = sliding_window_view(padded, size, axis=2)[:, :, ::hop].swapaxes(1, 2)
    shown = sliding_window_view(real, size, axis=1)[:, ::hop]
    tile, start, end, left, right = _runs(
        windows.reshape(-1, pattern.shape[1], size), shown.reshape(-1, size), levels, least
    )
    row, offset = tile // count, tile % count * hop
    whole = ((start > 0) | (offset == 0)) & ((end < size) | (offset + end >= clips))
    columns = row, start + offset, end + offset, left + offset, right + offset
    return tuple(column[whole] for column in columns)


def _merged(
    row: np.ndarray, start: np.ndarray, end: np.ndarray, left: np.ndarray, right: np.ndarray
) -> Candidates:
    """Merge equal spans: average their exact ends and count the repetitions."""
    base = end.max(initial=0) + 1
    key = (row.astype(np.int64) * base + start) * base + end
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    times = np.diff(np.append(first, len(row)))
    left, right = (_group_means(edge[order], first, times) for edge in (left, right))
    kept = order[first]
    return Candidates(row[kept], start[kept], end[kept], left, right, times)


def _group_means(x: np.ndarray, first: np.ndarray, times: np.ndarray) -> np.ndarray:
    return np.add.reduceat(x, first) / times if len(first) else np.zeros(0)

"""Windows on the time axis: stack windows, compute their IoU, move them to a clip grid.

Windows are [start, end] in seconds. A query has any number of windows, so the windows of a list of
queries are stacked into one array padded with NaN; padding overlaps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Windows = Sequence[Sequence[float]] | npt.NDArray[np.floating[Any]]


def stack(rows: Sequence[Windows], columns: int, at_most: int | None = None) -> Array:
    """Stack the windows of several queries into one array, padded with NaN.

    Args:
        rows: (K, columns) windows of each of Q queries; K differs between queries.
        columns: numbers per window.
        at_most: take at most this number of first windows of each query; None: all.

    Returns:
        (Q, K, columns), with the largest K of all queries.
    """
    cut = [np.asarray(row, dtype=np.float64).reshape(-1, columns)[:at_most] for row in rows]
    stacked = np.full((len(cut), max(map(len, cut), default=0), columns), np.nan)
    for target, row in zip(stacked, cut, strict=True):
        target[: len(row)] = row
    return stacked


def _edges(windows: Array, others: Array) -> tuple[Array, Array, Array, Array]:
    starts, ends = windows[:, :, None, 0], windows[:, :, None, 1]
    return starts, ends, others[:, None, :, 0], others[:, None, :, 1]


def _ratio(part: Array, whole: Array) -> Array:
    """Return part / whole; 0 if a window is padding, or if both windows have length 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def iou_over_hull(windows: Array, others: Array) -> Array:
    """Compute the IoU of every pair; the union is last end - first start.

    If the windows touch, last end - first start is the union. If they do not touch, the
    intersection is 0 anyway. The field computes R1 and mIoU in this way, and AP with
    `iou_over_lengths`. The two functions are equal in theory, but not in the last bit, and a window
    rounded to a grid often lies exactly on a threshold (2 decisions in 1,000 differ on
    Charades-STA).

    Args:
        windows: (Q, P, 2 or more) [start, end, …], seconds.
        others: (Q, G, 2 or more) [start, end, …], seconds.

    Returns:
        (Q, P, G).
    """
    starts, ends, other_starts, other_ends = _edges(windows, others)
    shared = np.maximum(0, np.minimum(ends, other_ends) - np.maximum(starts, other_starts))
    return _ratio(shared, np.maximum(ends, other_ends) - np.minimum(starts, other_starts))


def iou_over_lengths(windows: Array, others: Array) -> Array:
    """Compute the IoU of every pair; the union is the sum of both lengths minus the intersection.

    Arguments and result are as in `iou_over_hull`: (Q, P, 2 or more) and (Q, G, 2 or more) give
    (Q, P, G).
    """
    starts, ends, other_starts, other_ends = _edges(windows, others)
    shared = np.maximum(0, np.minimum(ends, other_ends) - np.maximum(starts, other_starts))
    return _ratio(shared, (ends - starts) + (other_ends - other_starts) - shared)


def lengths(windows: Array) -> Array:
    """Return the lengths (...) of windows (..., 2) in seconds; NaN for padding."""
    return windows[..., 1] - windows[..., 0]


def to_grid(windows: Array, clip_length: float, limit: float | None = None) -> Array:
    """Round starts and ends to multiples of the clip length (half to even).

    Args:
        windows: (..., 2 or more) [start, end, …], seconds; further columns stay as they are.
        clip_length: seconds.
        limit: before rounding, a start or end below 0 becomes 0, and above `limit` seconds it
            becomes `limit`; None: starts and ends are only rounded.

    Returns:
        An array of the same shape.
    """
    moved = np.array(windows, dtype=np.float64)
    spans = moved[..., :2] if limit is None else np.clip(moved[..., :2], 0, limit)
    moved[..., :2] = np.round(spans / clip_length) * clip_length
    return moved

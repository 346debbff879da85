"""Slots: the spans from which the decoder starts, taken from the level sets of the pattern."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdmf_cli.moments.pattern import Candidates, level_sets


class Slots(NamedTuple):
    """The slots of B videos.

    Attributes:
        spans: float32 (B, K, 2) [start, end] in clips.
        mask: (B, K) True at real slots.
    """

    spans: np.ndarray
    mask: np.ndarray


def pattern_slots(pattern: np.ndarray, mask: np.ndarray, levels: int, most: int) -> Slots:
    """Take the level sets of each row's pattern as slots, in order of time.

    Args:
        pattern: (B, C, L) in [0, 1].
        mask: (B, L) True at real clips.
        levels: number of heights per channel.
        most: largest number of slots per row; if there are more, the most persistent slots stay.

    Returns:
        The slots, (B, K, 2) and (B, K).
    """
    found = level_sets(np.where(mask[:, None], pattern, 0.0), mask, levels)
    kept = _persistent(found, most)
    row = found.row[kept]
    counts = np.bincount(row, minlength=len(mask))
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    spans = np.zeros((len(mask), max(int(counts.max(initial=0)), 1), 2), np.float32)
    spans[..., 1] = 1.0  # padding slots also have a length
    real = np.zeros(spans.shape[:2], dtype=bool)
    ends = np.where(mask, np.arange(1, mask.shape[1] + 1), 0).max(axis=1, initial=0)[row]
    edges = np.stack([found.left[kept], found.right[kept]], axis=1)
    spans[row, place] = np.clip(edges, 0, ends[:, None])
    real[row, place] = True
    return Slots(spans, real)


def _persistent(found: Candidates, most: int) -> np.ndarray:
    """Return the indices, ascending, of each row's `most` most persistent candidates."""
    order = np.lexsort((-found.persistence, found.row))  # stable: if equal, the first comes first
    counts = np.bincount(found.row)
    first = np.cumsum(counts) - counts
    rank = np.arange(len(order)) - np.repeat(first, counts)
    return np.sort(order[rank < most])

"""The lowest and the highest AP over all orders of clips with equal scores.

A protocol may cut a ranking after a few clips and not define the order of ties. Then its score is
not unique: a clip may stand at any rank of its tie, or be cut. All orders are searched by branch
and bound, so the result is exact. Ranks are filled one by one. The search leaves a partial order if
even the largest possible AP of every annotator cannot exceed the best order found so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]

ROUNDING = 1e-12


def trapezoid_ap(labels: npt.NDArray[Any]) -> float:
    """Compute the area under precision over recall by trapezoids, from recall 0, precision 1.

    labels: (N,) 1 or 0, in the order of the ranking. The area is 0 without positives.
    """
    if not labels.any():
        return 0.0
    hits = np.cumsum(labels)
    recall = np.concatenate([[0.0], hits / hits[-1]])
    precision = np.concatenate([[1.0], hits / np.arange(1, len(labels) + 1)])
    return float(np.sum(np.diff(recall) * (precision[:-1] + precision[1:]) / 2))


def extremes(
    candidates: Sequence[Flags], groups: Sequence[int] | npt.NDArray[np.intp]
) -> tuple[float, float]:
    """Find the lowest and the highest mean AP of a ranking that is cut after K clips.

    Args:
        candidates: For each of the K ranks, the clips that may stand at this rank: (n, A), True if
            clip n is positive for annotator A.
        groups: (K,) the tie of each rank. Ranks of one tie have the same candidates, and each clip
            stands at only one of these ranks.
    """
    ranks = _ranks(candidates, groups)
    areas = _areas(len(ranks))
    least = abs(_Search(ranks, _bounds(-areas)).best)
    return least, _Search(ranks, _bounds(areas)).best


@dataclass(frozen=True)
class _Rank:
    """Hold the candidates of a rank: (n, A) distinct rows; the number of clips per row, by tie."""

    rows: npt.NDArray[np.intp]
    group: int
    left: npt.NDArray[np.int_]


def _ranks(
    candidates: Sequence[Flags], groups: Sequence[int] | npt.NDArray[np.intp]
) -> list[_Rank]:
    """Make the ranks; clips with equal labels from all annotators are one candidate."""
    made: dict[int, _Rank] = {}
    for rows, group in zip(candidates, map(int, groups), strict=True):
        if group not in made:
            distinct, counts = np.unique(rows, axis=0, return_counts=True)
            made[group] = _Rank(distinct.astype(np.intp), group, counts)
    return [made[int(group)] for group in groups]


def _areas(ranks: int) -> Array:
    """Return the AP (2 ** ranks,) of each sequence of labels; the first label is the top bit."""
    rows = product((0, 1), repeat=ranks)
    return np.array([trapezoid_ap(np.array(row)) for row in rows])


def _bounds(areas: Array) -> list[Array]:
    """Return the highest AP still possible after 0, 1, … known labels, (2 ** known,) each."""
    bounds = [areas]
    while len(bounds[0]) > 1:
        bounds.insert(0, bounds[0].reshape(-1, 2).max(axis=1))
    return bounds


class _Search:
    """Search all orders; `best` is the highest mean over annotators that any order reaches."""

    def __init__(self, ranks: Sequence[_Rank], bounds: Sequence[Array]):
        self._ranks, self._bounds = ranks, bounds
        self._left = {rank.group: rank.left.copy() for rank in ranks}
        self.best = -np.inf
        self._fill(0, np.zeros(ranks[0].rows.shape[1], dtype=np.intp))

    def _fill(self, place: int, known: npt.NDArray[np.intp]) -> None:
        """Try all clips at a rank; `known` (A,) holds the labels of the earlier ranks, as bits."""
        rank, left = self._ranks[place], self._left[self._ranks[place].group]
        free = np.flatnonzero(left)
        labels = 2 * known + rank.rows[free]  # (n, A)
        reach = self._bounds[place + 1][labels].mean(axis=1)
        if place + 1 == len(self._ranks):
            self.best = max(self.best, float(reach.max()))
            return
        for index in np.argsort(-reach, kind="stable"):
            if reach[index] <= self.best + ROUNDING:
                return
            left[free[index]] -= 1
            self._fill(place + 1, labels[index])
            left[free[index]] += 1

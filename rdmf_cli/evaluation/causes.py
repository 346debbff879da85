"""Why predictions miss: the cause of each miss, and how much each cause lowers a metric.

The method follows Alwassel, Heilbron, Escorcia, Ghanem, "Diagnosing Error in Temporal Action
Detectors", ECCV 2018, and Bolya, Foley, Hays, Hoffman, "TIDE", ECCV 2020, for one query at a time.
A window can be confused with a moment of another query on the same video, as a detection can be
confused with another class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rdmf_cli.datasets.annotations import Annotation
from rdmf_cli.evaluation.detection import true_positives
from rdmf_cli.evaluation.overlap import Array, iou_over_hull
from rdmf_cli.evaluation.retrieval import PREDICTIONS_SCORED, average_precisions, best_iou

TOUCHES = 0.1
"""The lowest IoU at which a window counts as an inexact prediction of a moment."""

FIRST_CAUSES = ("right", "ranking", "confusion", "localisation", "elsewhere", "nothing")
"""The cause of the first window of a query. If several causes hold, the first in this order counts.

right: the window reaches a moment. ranking: a later window of the first ten reaches a moment.
confusion: the window reaches a moment of another query on the video. localisation: the window has
an IoU of 0.1 or more with a moment. elsewhere: the window has no such IoU. nothing: there is no
window.
"""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Hold the first ten windows of one query, with a cause for each window.

    Attributes:
        windows: (P, 3), in the order of the list.
        truths: (G, 2) the moments of the query.
        iou: (P, G) IoU of each window with each moment.
        right: (P,) the window finds a moment that no earlier window found.
        duplicates: (P,) the window finds only moments that earlier windows found.
        confusion: (P,) the window finds no moment of its query, but a moment of another query on
            the video.
        localisation: (P,) the window has an IoU of 0.1 or more with a moment, and no cause above
            holds.
        elsewhere: (P,) all remaining windows.
    """

    windows: Array
    truths: Array
    iou: Array
    right: Flags
    duplicates: Flags
    confusion: Flags
    localisation: Flags
    elsewhere: Flags

    @property
    def first(self) -> str:
        """The cause of the query: one of `FIRST_CAUSES`."""
        if not len(self.windows):
            return "nothing"
        if self.right[0]:
            return "right"
        if self.right.any():
            return "ranking"
        return next(c for c in ("confusion", "localisation", "elsewhere") if getattr(self, c)[0])


def diagnose(windows: Array, truths: Array, others: Array, threshold: float) -> Diagnosis:
    """Find the cause of each of the first ten windows of a query.

    Args:
        windows: (P, 3) [start, end, score], best first.
        truths: (G, 2) the moments of the query, at least one.
        others: (H, 2) the moments of all other queries on the same video.
        threshold: The lowest IoU at which a window reaches a moment.
    """
    windows = windows[:PREDICTIONS_SCORED]
    iou = iou_over_hull(windows[None], truths[None])[0]
    best = iou.max(axis=1)
    right = true_positives(iou[None], np.array([threshold]))[0, :, 0]
    of_other = iou_over_hull(windows[None], others[None])[0].max(axis=1, initial=0) >= threshold
    below = best < threshold
    confusion = below & of_other
    near = below & ~of_other & (best >= TOUCHES)
    return Diagnosis(
        windows=windows,
        truths=truths,
        iou=iou,
        right=right,
        duplicates=~below & ~right,
        confusion=confusion,
        localisation=near,
        elsewhere=below & ~confusion & ~near,
    )


def diagnose_all(
    annotations: Sequence[Annotation],
    predicted: Sequence[Array],
    truths: Sequence[Array],
    threshold: float,
) -> list[Diagnosis]:
    """Diagnose every query; see `diagnose`.

    Args:
        annotations: Q annotations.
        predicted: (P, 3) windows [start, end, score] of each query, seconds.
        truths: (G, 2) moments [start, end] of each query, seconds.
        threshold: The lowest IoU at which a window is right.
    """
    queries_on: dict[str, list[int]] = {}
    for query, annotation in enumerate(annotations):
        queries_on.setdefault(annotation.vid, []).append(query)
    return [
        diagnose(
            predicted[query],
            truths[query],
            _moments_of([truths[k] for k in queries_on[annotation.vid] if k != query]),
            threshold,
        )
        for query, annotation in enumerate(annotations)
    ]


def _moments_of(rows: Sequence[Array]) -> Array:
    return np.concatenate([np.empty((0, 2)), *rows])


# ---------------------------------------------------------------------- one cause mended


def _ranked(query: Diagnosis) -> Array:
    """Order the windows by their overlap with a moment, and set their scores to this order."""
    order = np.argsort(-query.iou.max(axis=1), kind="stable")
    places = np.arange(len(order), 0, -1, dtype=np.float64)
    return np.column_stack([query.windows[order, :2], places])


def _localised(query: Diagnosis) -> Array:
    """Move every window that has an IoU of 0.1 or more with a moment onto this moment."""
    moved = query.windows.copy()
    near = query.iou.max(axis=1) >= TOUCHES
    moved[near, :2] = query.truths[query.iou[near].argmax(axis=1)]
    return moved


MENDED: dict[str, Callable[[Diagnosis], Array]] = {
    "ranking": _ranked,
    "localisation": _localised,
    "confusion": lambda query: query.windows[~query.confusion],
    "duplicates": lambda query: query.windows[~query.duplicates],
    "elsewhere": lambda query: query.windows[~query.elsewhere],
}
"""For each cause, the windows of a query without this cause: moved, reordered or left out."""


@dataclass(frozen=True)
class Loss:
    """Hold the frequency of a cause, and the gain if this cause were fixed in all queries.

    Attributes:
        windows: Share of all first ten windows, per cent; None for ranking, because ranking
            concerns several windows together.
        recall: Gain in R1 at the threshold.
        average_precision: Gain in mAP at the threshold.
    """

    cause: str
    windows: float | None
    recall: float
    average_precision: float


def first_causes(queries: Sequence[Diagnosis]) -> dict[str, float]:
    """Return, for each of `FIRST_CAUSES`, the share of queries with this cause, per cent."""
    counts = Counter(query.first for query in queries)
    return {cause: 100 * counts[cause] / len(queries) for cause in FIRST_CAUSES}


def losses(queries: Sequence[Diagnosis], threshold: float) -> list[Loss]:
    """Measure how much each cause in `MENDED` lowers the metrics."""
    truths = [query.truths for query in queries]
    now = _scores([query.windows for query in queries], truths, threshold)
    total = sum(len(query.windows) for query in queries)
    found = []
    for cause, mend in MENDED.items():
        then = _scores([mend(query) for query in queries], truths, threshold)
        share = _share_of_windows(queries, cause, total)
        found.append(Loss(cause, share, then[0] - now[0], then[1] - now[1]))
    return found


def _share_of_windows(queries: Sequence[Diagnosis], cause: str, total: int) -> float | None:
    if cause == "ranking" or not total:
        return None
    return 100 * sum(int(getattr(query, cause).sum()) for query in queries) / total


def missed_moments(queries: Sequence[Diagnosis], threshold: float) -> float:
    """Return the share of the moments that none of the first ten windows finds, per cent."""
    reached = [query.iou.max(axis=0, initial=0) >= threshold for query in queries]
    return float(100 * (1 - np.concatenate(reached).mean()))


def _scores(
    predicted: Sequence[Array], truths: Sequence[Array], threshold: float
) -> tuple[float, float]:
    """Compute R1 and mAP at the threshold, per cent."""
    recall = (best_iou(predicted, truths) >= threshold).mean()
    precision = average_precisions(predicted, truths, (threshold,)).mean()
    return float(100 * recall), float(100 * precision)

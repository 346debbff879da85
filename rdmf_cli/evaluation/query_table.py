"""One row per query: the moments, the predicted windows, and the metrics of this query alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.registry import Dataset
from rdmf_cli.evaluation.pairs import Options, pair
from rdmf_cli.evaluation.per_query import Columns, query_scores
from rdmf_cli.evaluation.predictions import Prediction, Predictions
from rdmf_cli.evaluation.presence import presence_of

ABOUT = ("qid", "query", "vid", "duration", "moments", "seconds")
PREDICTED = ("windows", "start", "end", "score", "presence")

Cell = str | int | float | None


@dataclass(frozen=True)
class QueryTable:
    """Hold rows of cells; a cell is None if there is no value.

    Attributes:
        names: `ABOUT` the query (its moments, and their length in seconds), what was `PREDICTED`
            (the number of windows, and the first window), then the metrics in per cent.
    """

    annotations: list[Annotation]
    predictions: list[Prediction]
    columns: Columns

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [*ABOUT, *PREDICTED, *self.columns]

    def rows(self) -> Iterator[list[Cell]]:
        """Yield the cells of each query, in the order of the annotations."""
        for place, pair_ in enumerate(zip(self.annotations, self.predictions, strict=True)):
            scores = [_number(column[place]) for column in self.columns.values()]
            yield [*_about(pair_[0]), *_predicted(pair_[1]), *scores]


def query_table(
    predictions: Predictions,
    annotations: Annotations,
    dataset: Dataset,
    options: Options | None = None,
) -> QueryTable:
    """Score every query; the arguments are the same as in `scoring.evaluate`."""
    options = options or Options()
    pairs = pair(predictions, annotations, dataset, options)
    scores = query_scores(pairs, dataset, options)
    return QueryTable(pairs.annotations, pairs.predictions, scores)


def _about(annotation: Annotation) -> list[Cell]:
    windows, moments, seconds = annotation.windows, None, None
    if windows is not None:
        moments, seconds = len(windows), float((windows[:, 1] - windows[:, 0]).sum())
    names: list[Cell] = [annotation.qid, annotation.query, annotation.vid]
    return [*names, annotation.duration, moments, seconds]


def _predicted(prediction: Prediction) -> list[Cell]:
    windows = prediction.windows
    if windows is None:
        return [None, None, None, None, prediction.presence]
    first: list[Cell] = list(map(float, windows[0])) if len(windows) else [None] * 3
    if not prediction.scored:
        first[-1] = None
    return [len(windows), *first, presence_of(prediction)]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None

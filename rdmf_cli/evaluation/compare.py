"""Compare prediction files: which one is better, and can the difference be chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.registry import Dataset
from rdmf_cli.datasets.split import video_of
from rdmf_cli.errors import UsageError
from rdmf_cli.evaluation.groups import Flags, grouped
from rdmf_cli.evaluation.overlap import Array
from rdmf_cli.evaluation.pairs import Options, Pairs, pair
from rdmf_cli.evaluation.per_query import Columns, main_metric, query_scores
from rdmf_cli.evaluation.predictions import Predictions, read_predictions
from rdmf_cli.evaluation.resampling import PairedDifferences
from rdmf_cli.evaluation.truth import GroundTruth
from rdmf_cli.text import counted

SAME = 1e-9
"""Two scores of a query that differ by at most this number of per cent are a tie."""

FEW_VIDEOS = 20


@dataclass(frozen=True)
class How:
    """Hold how predictions are compared.

    Attributes:
        metric: The metric that decides which queries are won and lost; None: the protocol's first.
        confidence: Confidence level of the intervals.
        resamples: Number of resamples of the bootstrap and of the permutation test.
        seed: Random seed of the bootstrap and of the permutation test.
        top: Number of queries to list: the queries that differ most.
    """

    metric: str | None = None
    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 0
    top: int = 20


@dataclass(frozen=True)
class Difference:
    """Hold one metric of the baseline and of another file, in per cent, and their difference."""

    metric: str
    queries: int
    videos: int
    baseline: float
    other: float
    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Tally:
    """Count the queries that the compared file wins, loses and ties, in a group of queries."""

    by: str
    group: str
    queries: int
    wins: int
    losses: int
    ties: int
    difference: float


@dataclass(frozen=True)
class QueryDifference:
    """Hold a query on which two files differ: its moments, and the first windows of each file."""

    qid: int | str
    query: str
    vid: str
    duration: float | None
    baseline: float
    other: float
    difference: float
    moments: list[list[float]]
    baseline_windows: list[list[float]]
    other_windows: list[list[float]]


@dataclass(frozen=True)
class Against:
    """Hold the comparison of one file with the baseline."""

    file: str
    differences: list[Difference]
    tallies: list[Tally]
    queries: list[QueryDifference]


@dataclass(frozen=True)
class Comparison:
    """Hold a comparison of prediction files for the same queries, each file with the first file."""

    dataset: str
    queries: int
    videos: int
    metric: str
    confidence: float
    resamples: int
    seed: int
    baseline: str
    others: list[Against]
    notes: list[str] = field(default_factory=list)


def compare(
    files: Sequence[Predictions],
    annotations: Annotations,
    dataset: Dataset,
    options: Options | None = None,
    how: How | None = None,
) -> Comparison:
    """Compare predictions query by query, each file with the first file.

    Args:
        files: two or more; the first is the baseline.
        annotations: annotations of all queries, with ground truth.
        dataset: the data set; its protocol scores the queries.
        options: how to score.
        how: which metric to compare, and how to resample.

    Raises:
        UsageError: there is nothing to compare, or no metric has the given name.
        RdmfError: a line of a file has an error.
    """
    options, how = options or Options(), how or How()
    if len(files) < 2:
        todo = "give two prediction files or more; the first is the baseline"
        raise UsageError("a single file cannot be compared", files[0].path, todo)
    pairs = [pair(predictions, annotations, dataset, options) for predictions in files]
    columns = [query_scores(each, dataset, options) for each in pairs]
    metric = _metric(columns[0], how.metric)
    videos = [video_of(annotation.vid) for annotation in annotations]
    return Comparison(
        dataset=dataset.name,
        queries=len(annotations),
        videos=len(set(videos)),
        metric=metric,
        confidence=how.confidence,
        resamples=how.resamples,
        seed=how.seed,
        baseline=str(files[0].path),
        others=[
            Against(
                file=str(other.path),
                differences=_differences(columns[0], scores, videos, how),
                tallies=_tallies(columns[0][metric], scores[metric], other.annotations),
                queries=_most_different(pairs[0], other, columns[0][metric], scores[metric], how),
            )
            for other, scores in zip(pairs[1:], columns[1:], strict=True)
        ],
        notes=_notes(pairs, len(set(videos))),
    )


def compare_files(
    files: Sequence[str | PathLike[str]],
    truth: GroundTruth,
    options: Options | None = None,
    how: How | None = None,
) -> Comparison:
    """Compare prediction files in the way that `compare` compares predictions."""
    dataset, annotations = truth.read()
    predictions = [read_predictions(Path(file)) for file in files]
    return compare(predictions, annotations, dataset, options, how)


def _metric(columns: Columns, name: str | None) -> str:
    if name is not None and name not in columns:
        raise UsageError("no such metric", name, f"choose one of: {', '.join(columns)}")
    return name or main_metric(columns)


def _notes(pairs: Sequence[Pairs], videos: int) -> list[str]:
    """Merge the notes of all files; name the file if only some files have a note."""
    by_note: dict[str, list[str]] = {}
    for each in pairs:
        for note in dict.fromkeys(each.notes):
            by_note.setdefault(note, []).append(str(each.path))
    notes = [
        note if len(files) == len(pairs) else f"{', '.join(files)}: {note}"
        for note, files in by_note.items()
    ]
    if videos < FEW_VIDEOS:
        notes.append(f"only {counted(videos, 'video')}: intervals and p-values are rough")
    return notes


def _differences(
    baseline: Columns, other: Columns, videos: Sequence[str], how: How
) -> list[Difference]:
    values = np.column_stack([other[name] - column for name, column in baseline.items()])
    paired = PairedDifferences(values, videos, how.resamples, how.seed)
    counted = zip(
        baseline, paired.means, paired.intervals(how.confidence), paired.p_values(), strict=True
    )
    return [
        Difference(
            metric=name,
            queries=int(np.isfinite(baseline[name]).sum()),
            videos=int((paired.counts[:, place] > 0).sum()),
            baseline=float(np.nanmean(baseline[name])),
            other=float(np.nanmean(other[name])),
            difference=float(mean),
            low=float(interval[0]),
            high=float(interval[1]),
            p_value=float(p_value),
        )
        for place, (name, mean, interval, p_value) in enumerate(counted)
    ]


def _tallies(baseline: Array, other: Array, annotations: Sequence[Annotation]) -> list[Tally]:
    """Count wins and losses, over all counted queries and then by group."""
    everything: dict[str, dict[str, Flags]] = {"all": {"all": np.ones(len(baseline), dtype=bool)}}
    difference, counted = other - baseline, np.isfinite(other - baseline)
    return [
        _tally(by, name, difference[flags & counted])
        for by, groups in {**everything, **grouped(annotations)}.items()
        for name, flags in groups.items()
        if (flags & counted).any()
    ]


def _tally(by: str, group: str, difference: Array) -> Tally:
    wins, losses = int((difference > SAME).sum()), int((difference < -SAME).sum())
    ties = len(difference) - wins - losses
    return Tally(by, group, len(difference), wins, losses, ties, float(difference.mean()))


SHOWN = 5
"""The largest number of windows of a query to show."""


def _most_different(
    baseline: Pairs, other: Pairs, before: Array, after: Array, how: How
) -> list[QueryDifference]:
    """List the queries with the greatest differences, better or worse; ties keep their order."""
    difference = np.nan_to_num(after - before)
    order = np.argsort(-np.abs(difference), kind="stable")[: how.top]
    return [
        _query_difference(baseline, other, int(k), before, after)
        for k in order
        if abs(difference[k]) > SAME
    ]


def _query_difference(
    baseline: Pairs, other: Pairs, query: int, before: Array, after: Array
) -> QueryDifference:
    annotation = baseline.annotations[query]
    return QueryDifference(
        qid=annotation.qid,
        query=annotation.query,
        vid=annotation.vid,
        duration=annotation.duration,
        baseline=float(before[query]),
        other=float(after[query]),
        difference=float(after[query] - before[query]),
        moments=_listed(annotation.windows),
        baseline_windows=_listed(baseline.predictions[query].windows),
        other_windows=_listed(other.predictions[query].windows),
    )


def _listed(windows: Array | None) -> list[list[float]]:
    """Return the first windows of a query as lists."""
    return [] if windows is None else windows[:SHOWN].tolist()

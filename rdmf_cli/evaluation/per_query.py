"""The value of each query in each metric: a metric is the mean of its column.

The names are those of `brief`, and the mean of each column is the score in `brief`. For TVSum and
YouTube Highlights there is one column per domain; `HL-mAP-videos` is the mean over all videos, each
with the same weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rdmf_cli.datasets.annotations import Annotation
from rdmf_cli.datasets.registry import Dataset
from rdmf_cli.errors import RdmfError
from rdmf_cli.evaluation import domains, generalised, grounding, multi_moment, qvhighlights
from rdmf_cli.evaluation.detection import AP_THRESHOLDS
from rdmf_cli.evaluation.overlap import Array, Windows
from rdmf_cli.evaluation.pairs import Options, Pairs, legacy_overlap
from rdmf_cli.evaluation.presence import presence_of
from rdmf_cli.evaluation.protocols import PROTOCOLS
from rdmf_cli.evaluation.retrieval import (
    LENGTH_GROUPS,
    WITHIN,
    average_precisions,
    best_iou,
    of_length,
)

Columns = dict[str, Array]
"""(Q,) of each metric in per cent; NaN if the query does not count in the metric."""

VIDEOS = "HL-mAP-videos"


def query_scores(pairs: Pairs, dataset: Dataset, options: Options) -> Columns:
    """Score every query by every metric of the data set's protocol.

    Returns:
        (Q,) of each metric in per cent; NaN if the query does not count in the metric.

    Raises:
        RdmfError: no query has annotations that the protocol scores, or a prediction lacks the
            output.
    """
    columns = PROTOCOLS[dataset.protocol].load_per_query()(pairs, dataset, options)
    if not columns:
        todo = "give the ground truth of this --dataset"
        raise RdmfError("there is nothing to score", pairs.truth_path, todo)
    return columns


def has_moment(annotation: Annotation) -> bool:
    """Return whether the query is known to be shown in its video."""
    return annotation.windows is not None and not annotation.absent


def main_metric(columns: Columns) -> str:
    """Return the name of the main metric of a query, chosen from the existing columns (Q,)."""
    return next(name for name in MAIN if name in columns)


MAIN = ("MR-full-mAP", "MR-full-mIoU", "G-mIoU@5", "HL-min-VeryGood-mAP", VIDEOS)


def qvhighlights_columns(pairs: Pairs, dataset: Dataset, options: Options) -> Columns:
    """Score each query by QVHighlights' rules: (Q,) of each metric of moments and highlights."""
    columns: Columns = {}
    if options.only != "highlights":
        columns |= _moment_columns(pairs, _averaged_columns)
    if options.only != "moments":
        columns |= _highlight_columns(pairs, dataset.clip_length)
    return columns


def grounding_columns(pairs: Pairs, dataset: Dataset, options: Options) -> Columns:
    """Score each query by the rules for one moment per query: (Q,) of each metric."""

    def score(predicted: Sequence[Array], truths: Sequence[Array]) -> Columns:
        return _grounding_columns(predicted, truths, dataset, options)

    return {} if options.only == "highlights" else _moment_columns(pairs, score)


def multi_moment_columns(pairs: Pairs, dataset: Dataset, options: Options) -> Columns:
    """Score each query by the rules of QV-M2: (Q,) of each metric."""
    if options.only == "highlights":
        return {}
    return _moment_columns(pairs, multi_moment.query_columns)


def _moment_columns(
    pairs: Pairs, score: Callable[[Sequence[Array], Sequence[Array]], Columns]
) -> Columns:
    """Score the queries that have moments; return no column if no query has a moment."""
    counted = np.array([has_moment(annotation) for annotation in pairs.annotations])
    if not counted.any():
        return {}
    moments = pairs.with_moments()
    made = score(moments.windows(), moments.truths())
    return {name: _placed(100 * column, counted) for name, column in made.items()}


def generalised_columns(pairs: Pairs, dataset: Dataset, options: Options) -> Columns:
    """Return (Q,) of each metric that is a mean over queries: all except AUROC and Rej-F1."""
    counted = np.array([a.windows is not None for a in pairs.annotations])
    looked_at = pairs.where(lambda a: a.windows is not None)
    presence = np.array([presence_of(prediction) for prediction in looked_at.predictions])
    made = generalised.query_columns(looked_at.windows(), looked_at.truths(), presence)
    return {name: _placed(100 * column, counted) for name, column in made.items()}


def _grounding_columns(
    predicted: Sequence[Array], truths: Sequence[Array], dataset: Dataset, options: Options
) -> Columns:
    strict = options.legacy or PROTOCOLS[dataset.protocol].strict
    thresholds = grounding.LEGACY_THRESHOLDS if options.legacy else grounding.THRESHOLDS
    if options.legacy:
        predicted = grounding.suppressed(predicted, legacy_overlap(dataset, options))
    columns = _recall_columns(predicted, truths, thresholds, strict)
    if not strict:
        columns |= _precision_columns(predicted, truths)
        columns |= _group_columns("mAP", _mean_precisions, predicted, truths)
    return columns | _group_columns("mIoU", best_iou, predicted, truths)


def _averaged_columns(predicted: Sequence[Array], truths: Sequence[Array]) -> Columns:
    columns = _recall_columns(predicted, truths, grounding.THRESHOLDS, strict=False)
    columns |= _precision_columns(predicted, truths)
    columns |= _group_columns("mAP", _mean_precisions, predicted, truths)
    return columns | _group_columns("mIoU", best_iou, predicted, truths)


def _precision_columns(predicted: Sequence[Array], truths: Sequence[Array]) -> Columns:
    ap = average_precisions(predicted, truths)
    at = {f"MR-full-mAP@{t:g}": ap[:, AP_THRESHOLDS.index(t)] for t in (0.5, 0.75)}
    return {"MR-full-mAP": ap.mean(axis=1), **at}


def _mean_precisions(predicted: Sequence[Windows], truths: Sequence[Windows]) -> Array:
    mean: Array = average_precisions(predicted, truths).mean(axis=1)
    return mean


def _group_columns(
    metric: str,
    score: Callable[[Sequence[Windows], Sequence[Windows]], Array],
    predicted: Sequence[Array],
    truths: Sequence[Array],
) -> Columns:
    """Return the metric of each query in each length group in which the query has a true window."""
    columns: Columns = {}
    for name, bounds in LENGTH_GROUPS.items():
        within = of_length(truths, *bounds)
        kept = np.array([len(windows) > 0 for windows in within])
        if kept.any():
            some = [windows for windows in within if len(windows)]
            scored = [predicted[k] for k, windows in enumerate(within) if len(windows)]
            columns[f"MR-{name}-{metric}"] = _placed(score(scored, some), kept)
    return columns


def _recall_columns(
    predicted: Sequence[Array], truths: Sequence[Array], thresholds: Sequence[float], strict: bool
) -> Columns:
    first, five = (best_iou(predicted, truths, within) for within in (1, WITHIN))
    columns = _reached("R1", first, thresholds, strict) | _reached("R5", five, thresholds, strict)
    return {**columns, "MR-full-mIoU": first}


def _reached(name: str, iou: Array, thresholds: Sequence[float], strict: bool) -> Columns:
    return {
        f"MR-full-{name}@{t:g}": (iou > t if strict else iou >= t).astype(np.float64)
        for t in thresholds
    }


def _highlight_columns(pairs: Pairs, clip_length: float) -> Columns:
    rated = pairs.with_ratings()
    if not len(rated):
        return {}
    counted = np.array([a.ratings is not None and not a.absent for a in pairs.annotations])
    saliency, ratings = rated.highlights(clip_length)
    columns: Columns = {}
    for name, level in qvhighlights.SALIENCY_LEVELS.items():
        ap = qvhighlights.highlight_precisions(saliency, ratings, level).mean(axis=1)
        columns[f"HL-min-{name}-mAP"] = ap
        columns[f"HL-min-{name}-Hit1"] = qvhighlights.top_hits(saliency, ratings, level)
    return {name: _placed(100 * column, counted) for name, column in columns.items()}


def domain_columns(pairs: Pairs, dataset: Dataset, options: Options) -> Columns:
    """Score each video by its labels: (Q,) by domain, and over all videos."""
    labels = [a.labels for a in pairs.annotations if a.labels is not None]
    names = np.array([a.domain for a in pairs.annotations])
    ap_of = domains.AP[dataset.protocol]
    ap = np.array(
        [
            ap_of(s, ratings).in_list_order
            for s, ratings in zip(pairs.saliency(), labels, strict=True)
        ]
    )
    by_domain = {
        f"HL-mAP-{name}": _placed(100 * ap[names == name], names == name)
        for name in sorted(set(names.tolist()))
    }
    return {**by_domain, VIDEOS: 100 * ap}


def _placed(values: Array, where: npt.NDArray[np.bool_]) -> Array:
    """Return (Q,): the values of the counted queries, and NaN for all other queries."""
    column = np.full(len(where), np.nan)
    column[where] = values
    return column

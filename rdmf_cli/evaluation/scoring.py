"""Score predictions against annotations by a protocol; results are plain dicts."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from rdmf_cli.datasets.annotations import Annotations
from rdmf_cli.datasets.registry import Dataset
from rdmf_cli.errors import RdmfError
from rdmf_cli.evaluation import domains, generalised, grounding, multi_moment, qvhighlights
from rdmf_cli.evaluation.overlap import Array
from rdmf_cli.evaluation.pairs import (
    Options,
    Pairs,
    legacy_overlap,
    pair,
    tell_lengths,
)
from rdmf_cli.evaluation.per_query import has_moment
from rdmf_cli.evaluation.predictions import Predictions, read_predictions
from rdmf_cli.evaluation.presence import presence_metrics, presence_of
from rdmf_cli.evaluation.protocols import PROTOCOLS
from rdmf_cli.evaluation.truth import GroundTruth
from rdmf_cli.text import queries

Result = dict[str, Any]


def evaluate_files(
    predictions: str | PathLike[str], truth: GroundTruth, options: Options | None = None
) -> Result:
    """Score a prediction file against an annotation file.

    Args:
        predictions: the prediction file.
        truth: the annotation file, and how to read it.
        options: how to score.

    Returns:
        The result of `evaluate`.

    Raises:
        RdmfError: a file cannot be read or has an error.
    """
    dataset, annotations = truth.read()
    return evaluate(read_predictions(Path(predictions)), annotations, dataset, options)


def evaluate(
    predictions: Predictions,
    annotations: Annotations,
    dataset: Dataset,
    options: Options | None = None,
) -> Result:
    """Score predictions.

    Returns:
        A nested dict with the names of the field; percentages, not rounded. "brief" holds the
        numbers that papers print, "queries" the numbers of counted queries, "notes" the notes for
        the reader; all further keys depend on the protocol.

    Raises:
        RdmfError: an entry has an error, or the options do not fit the data set.
    """
    options = options or Options()
    pairs = pair(predictions, annotations, dataset, options)
    metrics = PROTOCOLS[dataset.protocol].load()(pairs, dataset, options)
    about = {"dataset": dataset.name, "protocol": dataset.protocol, "notes": pairs.notes}
    return {**about, **metrics}


def nothing_scored(annotations: Annotations, dataset: Dataset) -> Result:
    """Return the result for annotations without ground truth; it has no metrics."""
    about: Result = {"dataset": dataset.name, "protocol": dataset.protocol, "notes": []}
    return {**about, "queries": {"all": len(annotations)}, "brief": {}}


def rounded(result: Result, decimals: int = 2) -> Result:
    """Round every number of a result; the default of two decimals is usual in the field."""
    return {key: _rounded(value, decimals) for key, value in result.items()}


def _rounded(value: Any, decimals: int) -> Any:
    if isinstance(value, dict):
        return rounded(value, decimals)
    return float(f"{value:.{decimals}f}") if isinstance(value, float) else value


def _nothing(what: str, pairs: Pairs) -> RdmfError:
    todo = "give the ground truth of this --dataset, or score another kind with --only"
    return RdmfError(f"there is nothing to score: no query has {what}", pairs.truth_path, todo)


def qvhighlights_scores(pairs: Pairs, dataset: Dataset, options: Options) -> Result:
    """Score moments and highlights, if they are annotated and requested."""
    counted: Result = {"all": len(pairs)}
    metrics: Result = {}
    rated = pairs.with_ratings()
    with_moments = any(a.windows is not None for a in pairs.annotations)
    if options.only != "highlights" and with_moments:
        moments = pairs.with_moments()
        metrics |= qvhighlights.moment_metrics(moments.windows(), moments.truths())
        counted["moments"] = len(moments)
    if options.only != "moments" and len(rated):
        if unrated := sum(a.ratings is None and not a.absent for a in pairs.annotations):
            pairs.notes.append(f"{queries(unrated)} without saliency_scores: no highlight metrics")
        metrics |= qvhighlights.highlight_metrics(*rated.highlights(dataset.clip_length))
        counted["highlights"] = len(rated)
    if not metrics:
        raise _nothing("relevant_windows or saliency_scores", pairs)
    brief = qvhighlights.brief(metrics)
    if "moments" in counted and (presence := _presence(pairs)):
        brief, metrics["presence"] = {**brief, **presence}, presence
    return {"queries": counted, "brief": brief, **metrics}


def _presence(pairs: Pairs) -> dict[str, float | None]:
    """Score presence, if some queries have a moment and some have none."""
    shown = np.array([has_moment(annotation) for annotation in pairs.annotations])
    known = shown | np.array([annotation.absent for annotation in pairs.annotations])
    if shown[known].all() or not shown[known].any():
        return {}
    presence = np.array([presence_of(prediction) for prediction in pairs.predictions])
    return presence_metrics(presence[known], shown[known])


def grounding_scores(pairs: Pairs, dataset: Dataset, options: Options) -> Result:
    """Score moments by recall and mIoU; with `options.legacy`, by 2D-TAN's rules."""
    moments = pairs.with_moments()
    if not len(moments):
        raise _nothing("relevant_windows", pairs)
    windows, truths = moments.windows(), moments.truths()
    if options.legacy:
        nms = legacy_overlap(dataset, options)
        pairs.notes.append(f"2D-TAN's rules: IoU > t, after suppression at {nms:g}")
        metrics = grounding.legacy_metrics(windows, truths, nms)
    elif PROTOCOLS[dataset.protocol].strict:
        metrics = grounding.ego4d_metrics(windows, truths)
    else:
        metrics = grounding.moment_metrics(windows, truths)
    counted = {"all": len(pairs), "moments": len(moments)}
    return {"queries": counted, "brief": grounding.brief(metrics), **metrics}


def multi_moment_scores(pairs: Pairs, dataset: Dataset, options: Options) -> Result:
    """Score queries with several moments by QV-M²'s rules."""
    moments = pairs.with_moments()
    if not len(moments):
        raise _nothing("relevant_windows", pairs)
    windows, truths = moments.windows(), moments.truths()
    _tell_few(pairs, windows, truths)
    metrics = multi_moment.moment_metrics(windows, truths)
    counted = {"all": len(pairs), "moments": len(moments)}
    return {"queries": counted, "brief": multi_moment.brief(metrics), **metrics}


def _tell_few(pairs: Pairs, windows: Sequence[Array], truths: Sequence[Array]) -> None:
    few = sum(
        len(found) < min(len(true), max(multi_moment.RANKS))
        for found, true in zip(windows, truths, strict=True)
    )
    if few:
        pairs.notes.append(
            f"{queries(few)} with fewer windows than moments: the moments count as missed, where "
            "QV-M²'s own evaluator leaves such queries out of R2 and R3"
        )


def generalised_scores(pairs: Pairs, dataset: Dataset, options: Options) -> Result:
    """Score moments and presence together by Soccer-GMR's rules."""
    looked_at = pairs.where(lambda a: a.windows is not None)
    if not any(map(has_moment, looked_at.annotations)):
        raise _nothing("relevant_windows", pairs)
    presence = np.array([presence_of(prediction) for prediction in looked_at.predictions])
    truths = looked_at.truths()
    metrics = generalised.moment_metrics(looked_at.windows(), truths, presence)
    counted = {"all": len(looked_at), "moments": sum(len(row) > 0 for row in truths)}
    return {"queries": counted, "brief": metrics}


def domain_scores(pairs: Pairs, dataset: Dataset, options: Options) -> Result:
    """Score the highlights of every video, averaged by domain; note the effect of ties."""
    labels = [a.labels for a in pairs.annotations if a.labels is not None]
    names = [a.domain for a in pairs.annotations if a.domain is not None]
    saliency = pairs.saliency()
    tell_lengths(pairs, saliency, [len(rows) for rows in labels], "come last")
    metrics = domains.domain_metrics(saliency, labels, names, domains.AP[dataset.protocol])
    ties = domains.ties(metrics)
    if ties:
        pairs.notes.append(
            "clips with equal scores decide: the score is that of list order, and beside it "
            "(`ties`) are the lowest and the highest that their orders allow"
        )
    about: Result = {"queries": {"all": len(pairs)}, "brief": domains.brief(metrics)}
    return {**about, "ties": ties, **metrics} if ties else {**about, **metrics}

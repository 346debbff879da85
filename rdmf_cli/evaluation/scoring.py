"""Scoring predictions against annotations: checks, the protocol, the result as a plain dict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.benchmarks import Dataset, dataset_named, open_own
from rdmf_cli.datasets.lines import LineError, entry
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.evaluation import domains, grounding, qvhighlights
from rdmf_cli.evaluation.overlap import Array, to_grid
from rdmf_cli.evaluation.predictions import Prediction, Predictions, read_predictions

Result = dict[str, Any]
Only = Literal["moments", "highlights"]
Outside = Literal["refuse", "keep", "cut"]

MOST_CLIPS = 10_000_000
"""Clips of all queries with saliency scores together (QVHighlights val: 113,000)."""

TOLERANCE = 1e-3
"""Seconds by which float32 and four printed decimals may miss a bound or a grid."""


@dataclass(frozen=True)
class Options:
    """How to score, where there is a choice.

    only:     score moments or highlights alone; None: all that is annotated
    legacy:   2D-TAN's rules for Charades-STA, TACoS and ActivityNet
    nms:      the overlap above which the legacy rules suppress; None: the dataset's
    round_to: move predicted windows to multiples of this many seconds first; None: leave them
    outside:  windows that reach outside the video: refuse the file, keep them so, or cut them
    """

    only: Only | None = None
    legacy: bool = False
    nms: float | None = None
    round_to: float | None = None
    outside: Outside = "refuse"


@dataclass(frozen=True)
class Pairs:
    """Predictions and annotations in the same order, and what is to be said about them."""

    predictions: list[Prediction]
    annotations: list[Annotation]
    path: Path
    truth_path: Path
    notes: list[str]

    def where(self, keep: Callable[[Annotation], bool]) -> Pairs:
        """The pairs whose annotation is such."""
        kept = [k for k, annotation in enumerate(self.annotations) if keep(annotation)]
        predictions = [self.predictions[k] for k in kept]
        return replace(
            self, predictions=predictions, annotations=[self.annotations[k] for k in kept]
        )

    def windows(self) -> list[Array]:
        """(P, 3) of each prediction; RdmfError where a line has none at all."""
        return [
            self._given(prediction, prediction.windows, "pred_relevant_windows", "highlights")
            for prediction in self.predictions
        ]

    def saliency(self) -> list[Array]:
        """(T,) of each prediction; RdmfError where a line has none, or an empty one."""
        scores = [
            self._given(prediction, prediction.saliency, "pred_saliency_scores", "moments")
            for prediction in self.predictions
        ]
        for prediction, row in zip(self.predictions, scores, strict=True):
            if not len(row):
                raise LineError(self.path, prediction.line, "pred_saliency_scores is empty")
        return scores

    def _given(self, prediction: Prediction, value: Array | None, key: str, other: str) -> Array:
        if value is None:
            todo = f"add it, or score the {other} alone with --only {other}"
            raise LineError(self.path, prediction.line, f"no {key}", todo)
        return value

    def __len__(self) -> int:
        return len(self.annotations)


def evaluate_files(
    predictions: Path | str,
    ground_truth: Path | str,
    dataset: str | Dataset | None = None,
    options: Options | None = None,
    clip_length: float | None = None,
    skip_bad: bool = False,
) -> Result:
    """Score a prediction file against an annotation file.

    dataset: a benchmark of `datasets.DATASETS`, by name or itself; None: annotations of one's
    own, scored as QVHighlights are (so QVHighlights' own need no name).
    clip_length: seconds, for annotations of one's own
    skip_bad: leave out annotations that cannot be taken as they are, and note which
    """
    if isinstance(dataset, str):
        dataset = dataset_named(dataset)
    if dataset is not None:
        annotations = dataset.with_clips_of(clip_length).read(ground_truth, skip_bad)
    else:
        dataset, annotations = open_own(ground_truth, clip_length, skip_bad)
    return evaluate(read_predictions(predictions), annotations, dataset, options)


def evaluate(
    predictions: Predictions,
    annotations: Annotations,
    dataset: Dataset,
    options: Options | None = None,
) -> Result:
    """Score predictions: a nested dict in the field's own names, percentages not rounded.

    "brief" holds what papers print, "queries" what was counted, "notes" what a reader should
    know; the rest is the protocol's. RdmfError when a line is not as it must be.
    """
    options = options or Options()
    pairs = Pairs(
        predictions.paired(annotations),
        list(annotations),
        predictions.path,
        annotations.path,
        notes=list(annotations.notes),
    )
    _check_fit(pairs, dataset, options)
    pairs = _in_place(pairs, dataset, options)
    metrics = PROTOCOLS[dataset.protocol](pairs, dataset, options)
    about = {"dataset": dataset.name, "protocol": dataset.protocol, "notes": pairs.notes}
    return {**about, **metrics}


def nothing_scored(annotations: Annotations, dataset: Dataset) -> Result:
    """Give the result of annotations without ground truth, which has no metrics."""
    about: Result = {"dataset": dataset.name, "protocol": dataset.protocol, "notes": []}
    return {**about, "queries": {"all": len(annotations)}, "brief": {}}


def rounded(result: Result, decimals: int = 2) -> Result:
    """The same with every number to two decimals, as the field prints them."""
    return {key: _rounded(value, decimals) for key, value in result.items()}


def _rounded(value: Any, decimals: int) -> Any:
    if isinstance(value, dict):
        return rounded(value, decimals)
    return float(f"{value:.{decimals}f}") if isinstance(value, float) else value


# ------------------------------------------------------------------------- before scoring


def _check_fit(pairs: Pairs, dataset: Dataset, options: Options) -> None:
    """The dataset's protocol can score such annotations in such a way."""
    by_domain = dataset.protocol in DOMAIN_AP
    for annotation in pairs.annotations:
        if by_domain and (annotation.labels is None or annotation.domain is None):
            what = f"no label and domain, which {dataset.name} is scored by"
            raise LineError(pairs.truth_path, annotation.line, what)
        if not by_domain and annotation.labels is not None:
            todo = f"say which with --dataset: {' or '.join(DOMAIN_AP)}"
            raise RdmfError("highlight labels of a benchmark with domains", pairs.truth_path, todo)
    if options.legacy and dataset.protocol == "ego4d-nlq":
        raise UsageError("Ego4D's rules suppress nothing", "--legacy", "leave it out")
    if options.legacy and dataset.protocol != "grounding":
        todo = "use it with charades, tacos or activitynet"
        raise UsageError(f"there is no legacy protocol for {dataset.name}", "--legacy", todo)
    if options.only == "moments" and by_domain:
        raise UsageError(f"{dataset.name} has no moments", "--only moments", "leave it out")
    if options.only == "highlights" and dataset.protocol in ONE_MOMENT:
        raise UsageError(f"{dataset.name} has no highlights", "--only highlights", "leave it out")


def _in_place(pairs: Pairs, dataset: Dataset, options: Options) -> Pairs:
    """Windows checked against their video, cut and moved to the grid where that was asked for."""
    moved, off_grid, total, unsorted = [], 0, 0, 0
    for prediction, annotation in zip(pairs.predictions, pairs.annotations, strict=True):
        spans = prediction.windows
        if spans is not None:
            spans = _inside(spans, prediction, annotation, pairs.path, dataset, options.outside)
            off_grid, total = off_grid + _off_grid(spans, dataset.clip_length), total + len(spans)
            unsorted += bool((np.diff(spans[:, 2]) > 0).any())
            if options.round_to:
                spans = to_grid(spans, options.round_to, dataset.limit(annotation.duration))
        moved.append(replace(prediction, windows=spans))
    if off_grid and dataset.rounded and not options.round_to:
        pairs.notes.append(
            f"{off_grid} of {total} windows lie off the {dataset.clip_length:.4g} s grid to "
            "which the DETR family rounds its predictions; --round-to moves them"
        )
    if unsorted:
        pairs.notes.append(
            f"{unsorted} queries have windows that are not sorted by score, best first: recall and "
            "mIoU take them in the order of the list, mAP by score"
        )
    return replace(pairs, predictions=moved)


def _inside(
    spans: Array,
    prediction: Prediction,
    annotation: Annotation,
    path: Path,
    dataset: Dataset,
    outside: Outside,
) -> Array:
    """The windows, none of which reaches outside the video unless that was allowed.

    Rounding moves an end by up to half a clip; a clamp is the same for videos of any length.
    """
    duration = np.inf if annotation.duration is None else annotation.duration
    limit = max(duration + dataset.clip_length / 2, dataset.clamp or 0.0)  # as published ones do
    beyond = (spans[:, 0] < -TOLERANCE) | (spans[:, 1] > limit + TOLERANCE)
    if outside == "keep" or not beyond.any():
        return spans
    if outside == "cut":
        return np.column_stack([np.clip(spans[:, :2], 0, duration), spans[:, 2:]])
    where = entry("pred_relevant_windows", spans, int(np.argmax(beyond)))
    what = f"{where} reaches outside the video, {duration:g} s long"
    raise LineError(path, prediction.line, what, "correct it, or see --outside keep and cut")


def _off_grid(spans: Array, clip_length: float) -> int:
    steps = spans[:, :2] / clip_length
    return int((np.abs(steps - np.round(steps)) * clip_length > TOLERANCE).any(axis=1).sum())


# ------------------------------------------------------------------------------ protocols


def _moment_pairs(pairs: Pairs) -> Pairs:
    """The pairs with a true window; what is left out is said."""
    absent = sum(annotation.absent for annotation in pairs.annotations)
    unknown = sum(annotation.windows is None for annotation in pairs.annotations)
    if absent:
        pairs.notes.append(f"{absent} queries have no moment and are not in these metrics")
    if unknown:
        pairs.notes.append(f"{unknown} queries without relevant_windows are not scored for moments")
    return pairs.where(lambda a: a.windows is not None and not a.absent)


def _truths(pairs: Pairs) -> list[Array]:
    return [a.windows for a in pairs.annotations if a.windows is not None]


def _windows(pairs: Pairs) -> list[Array]:
    windows = pairs.windows()
    if empty := sum(not len(row) for row in windows):
        pairs.notes.append(f"{empty} queries have no predicted window and count as missed")
    return windows


def _nothing(what: str, pairs: Pairs) -> RdmfError:
    todo = "give the ground truth of this --dataset, or score another kind with --only"
    return RdmfError(f"there is nothing to score: no query has {what}", pairs.truth_path, todo)


def _qvhighlights(pairs: Pairs, dataset: Dataset, options: Options) -> Result:
    counted: Result = {"all": len(pairs)}
    metrics: Result = {}
    marked = pairs.where(lambda a: a.marks is not None and not a.absent)
    with_moments = any(a.windows is not None for a in pairs.annotations)
    if options.only != "highlights" and with_moments:
        moments = _moment_pairs(pairs)
        metrics |= qvhighlights.moment_metrics(_windows(moments), _truths(moments))
        counted["moments"] = len(moments)
    if options.only != "moments" and len(marked):
        metrics |= _highlights(pairs, marked, dataset.clip_length)
        counted["highlights"] = len(marked)
    if not metrics:
        raise _nothing("relevant_windows or saliency_scores", pairs)
    return {"queries": counted, "brief": qvhighlights.brief(metrics), **metrics}


def _highlights(pairs: Pairs, marked: Pairs, clip_length: float) -> Result:
    unmarked = sum(a.marks is None and not a.absent for a in pairs.annotations)
    if unmarked:
        pairs.notes.append(f"{unmarked} queries without saliency_scores: no highlight metrics")
    _check_clips(marked, clip_length)
    saliency, marks = marked.saliency(), [_marks(a, clip_length) for a in marked.annotations]
    clips = [len(matrix) for matrix in marks]
    _tell_lengths(pairs.notes, saliency, clips, "count as 0")
    named = [a.clip_ids for a in marked.annotations if a.clip_ids is not None]
    if past := sum(int((ids >= n).sum()) for ids, n in zip(named, clips, strict=True)):
        pairs.notes.append(f"{past} relevant clips past the end of their video are left out")
    return qvhighlights.highlight_metrics(saliency, marks)


def _check_clips(marked: Pairs, clip_length: float) -> None:
    """Durations are not believed: each clip of each query has a place in memory."""
    clips = sum((a.duration or 0.0) / clip_length for a in marked.annotations)
    if clips > MOST_CLIPS:
        what = f"the queries with saliency_scores have {clips:.0f} clips together, more than "
        todo = "check the durations, or give a longer --clip-length"
        raise RdmfError(f"{what}{MOST_CLIPS}", marked.truth_path, todo)


def _marks(annotation: Annotation, clip_length: float) -> Array:
    assert annotation.marks is not None
    assert annotation.clip_ids is not None
    assert annotation.duration is not None
    return qvhighlights.relevance(
        annotation.duration, annotation.clip_ids, annotation.marks, clip_length
    )


def _tell_lengths(
    notes: list[str], saliency: Sequence[Array], clips: Sequence[int], rule: str
) -> None:
    short = sum(len(row) < count for row, count in zip(saliency, clips, strict=True))
    long = sum(len(row) > count for row, count in zip(saliency, clips, strict=True))
    if short:
        notes.append(f"{short} queries have fewer saliency scores than clips: the others {rule}")
    if long:
        notes.append(f"{long} queries have more saliency scores than clips: the surplus is cut")


def _grounding(pairs: Pairs, dataset: Dataset, options: Options) -> Result:
    moments = _moment_pairs(pairs)
    if not len(moments):
        raise _nothing("relevant_windows", pairs)
    windows, truths = _windows(moments), _truths(moments)
    if options.legacy:
        nms = options.nms if options.nms is not None else dataset.legacy_nms
        if nms is None:
            todo = "give one; Ego4D's own rules are those of --dataset ego4d-nlq"
            raise UsageError(f"2D-TAN has no setting for {dataset.name}", "--nms", todo)
        pairs.notes.append(f"2D-TAN's rules: IoU > t, after suppression at {nms:g}")
        full = grounding.legacy_metrics(windows, truths, nms)
    elif dataset.protocol == "ego4d-nlq":
        full = grounding.ego4d_metrics(windows, truths)
    else:
        full = grounding.moment_metrics(windows, truths)
    counted = {"all": len(pairs), "moments": len(moments)}
    return {"queries": counted, "brief": grounding.brief({"full": full}), "full": full}


ONE_MOMENT = ("grounding", "ego4d-nlq")
DOMAIN_AP = {"tvsum": domains.tvsum_ap, "youtube-highlights": domains.youtube_ap}


def _by_domain(pairs: Pairs, dataset: Dataset, options: Options) -> Result:
    labels = [a.labels for a in pairs.annotations if a.labels is not None]
    names = [a.domain for a in pairs.annotations if a.domain is not None]
    saliency = pairs.saliency()
    _tell_lengths(pairs.notes, saliency, [len(rows) for rows in labels], "come last")
    metrics = domains.domain_metrics(saliency, labels, names, DOMAIN_AP[dataset.protocol])
    ties = domains.ties(metrics)
    if ties:
        pairs.notes.append(
            "clips with equal scores decide: the score is that of list order, and beside it "
            "(`ties`) are the least and the greatest that their orders allow"
        )
    about: Result = {"queries": {"all": len(pairs)}, "brief": domains.brief(metrics)}
    return {**about, "ties": ties, **metrics} if ties else {**about, **metrics}


PROTOCOLS: dict[str, Callable[[Pairs, Dataset, Options], Result]] = {
    "qvhighlights": _qvhighlights,
    **dict.fromkeys(ONE_MOMENT, _grounding),
    **dict.fromkeys(DOMAIN_AP, _by_domain),
}

"""Match predictions with annotations, and check or move their windows, before scoring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.datasets.lines import LineError, entry
from rdmf_cli.datasets.registry import DATASETS, Dataset
from rdmf_cli.datasets.sample import fits
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.evaluation import qvhighlights
from rdmf_cli.evaluation.overlap import Array, to_grid
from rdmf_cli.evaluation.predictions import Prediction, Predictions
from rdmf_cli.evaluation.protocols import PROTOCOLS
from rdmf_cli.text import counted, queries

Only = Literal["moments", "highlights"]
Outside = Literal["refuse", "keep", "cut"]

MOST_CLIPS = 10_000_000
"""The largest number of clips in all queries with saliency scores (QVHighlights val: 113,000)."""

TOLERANCE = 1e-3
"""Tolerance at a bound or a grid in seconds, for float32 and for four printed decimals."""


@dataclass(frozen=True)
class Options:
    """Hold the options of scoring.

    Attributes:
        only: score the moments alone or the highlights alone; None: score everything that is
            annotated.
        legacy: use 2D-TAN's rules for Charades-STA, TACoS and ActivityNet.
        nms: the legacy rules suppress a window above this IoU; None: the value of the data set.
        round_to: first move predicted windows to multiples of this many seconds; None: no move.
        outside: what happens if windows reach outside their video: "refuse" raises an error, "keep"
            leaves the windows as they are, "cut" cuts them to the video.
    """

    only: Only | None = None
    legacy: bool = False
    nms: float | None = None
    round_to: float | None = None
    outside: Outside = "refuse"


@dataclass(frozen=True)
class Pairs:
    """Hold predictions and their annotations, and notes for the reader.

    The annotation of `predictions[k]` is `annotations[k]`.
    """

    predictions: list[Prediction]
    annotations: list[Annotation]
    path: Path
    truth_path: Path
    notes: list[str]

    def where(self, keep: Callable[[Annotation], bool]) -> Pairs:
        """Return the pairs with an annotation that satisfies `keep`."""
        kept = [k for k, annotation in enumerate(self.annotations) if keep(annotation)]
        predictions = [self.predictions[k] for k in kept]
        return replace(
            self, predictions=predictions, annotations=[self.annotations[k] for k in kept]
        )

    def with_moments(self) -> Pairs:
        """Keep the pairs with a true window; note how many pairs are left out."""
        absent = sum(annotation.absent for annotation in self.annotations)
        unknown = sum(annotation.windows is None for annotation in self.annotations)
        if absent:
            self.notes.append(f"{queries(absent)} without a moment: not in these metrics")
        if unknown:
            self.notes.append(
                f"{queries(unknown)} without relevant_windows: not scored for moments"
            )
        return self.where(lambda a: a.windows is not None and not a.absent)

    def truths(self) -> list[Array]:
        """Return the true windows (G, 2) of each annotation that was searched for moments."""
        return [a.windows for a in self.annotations if a.windows is not None]

    def with_ratings(self) -> Pairs:
        """Keep the pairs with annotator ratings."""
        return self.where(lambda a: a.ratings is not None and not a.absent)

    def highlights(self, clip_length: float) -> tuple[list[Array], list[Array]]:
        """Return the saliency (T,) and the annotator ratings (C, 3) of each query.

        Args:
            clip_length: length of a clip in seconds.
        """
        _check_clips(self, clip_length)
        saliency, ratings = (
            self.saliency(),
            [_rating_matrix(a, clip_length) for a in self.annotations],
        )
        clips = [len(matrix) for matrix in ratings]
        tell_lengths(self, saliency, clips, "count as 0")
        named = [a.clip_ids for a in self.annotations if a.clip_ids is not None]
        if past := sum(int((ids >= n).sum()) for ids, n in zip(named, clips, strict=True)):
            self.notes.append(
                f"{counted(past, 'relevant clip')} past the end of the video: left out"
            )
        return saliency, ratings

    def windows(self) -> list[Array]:
        """Return the windows (P, 3) of each prediction.

        Raises:
            RdmfError: a prediction has no windows.
        """
        windows = [
            self._given(prediction, prediction.windows, "pred_relevant_windows", "highlights")
            for prediction in self.predictions
        ]
        if empty := sum(not len(row) for row in windows):
            self.notes.append(f"{queries(empty)} without a predicted window: counted as missed")
        return windows

    def saliency(self) -> list[Array]:
        """Return the saliency (T,) of each prediction.

        Raises:
            RdmfError: a prediction has no saliency, or an empty one.
        """
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


def pair(
    predictions: Predictions, annotations: Annotations, dataset: Dataset, options: Options
) -> Pairs:
    """Match predictions with annotations; check and move the windows as the options request.

    Raises:
        RdmfError: A line is invalid, or the options do not fit the data set.
    """
    pairs = Pairs(
        predictions.paired(annotations),
        list(annotations),
        predictions.path,
        annotations.path,
        notes=list(annotations.notes),
    )
    if unscored := sum(not prediction.scored for prediction in pairs.predictions):
        pairs.notes.append(
            f"{queries(unscored)} with windows without scores: mAP takes them in the order of the "
            "list"
        )
    _check_fit(pairs, dataset, options)
    return _in_place(pairs, dataset, options)


def _check_fit(pairs: Pairs, dataset: Dataset, options: Options) -> None:
    """Check that the data set's protocol can score these annotations with these options."""
    protocol = PROTOCOLS[dataset.protocol]
    for annotation in pairs.annotations:
        if protocol.by_domain and (annotation.labels is None or annotation.domain is None):
            what = f"label and domain are missing; {dataset.name} is scored by them"
            raise LineError(pairs.truth_path, annotation.line, what)
        if not protocol.by_domain and annotation.labels is not None:
            known = [d.name for d in DATASETS.values() if PROTOCOLS[d.protocol].by_domain]
            todo = f"name the benchmark: --dataset {' or '.join(known)}"
            raise RdmfError(
                "holds the highlight labels of a benchmark with domains", pairs.truth_path, todo
            )
    if options.legacy and protocol.strict:
        raise UsageError(
            "does not exist for Ego4D's rules, which suppress no windows",
            "--legacy",
            "leave it out",
        )
    if options.legacy and not protocol.has_legacy:
        todo = "use it with charades, tacos or activitynet"
        raise UsageError(f"there is no legacy protocol for {dataset.name}", "--legacy", todo)
    if options.only == "moments" and not protocol.moments:
        raise UsageError(f"{dataset.name} has no moments", "--only moments", "leave it out")
    if options.only == "highlights" and not protocol.highlights:
        raise UsageError(f"{dataset.name} has no highlights", "--only highlights", "leave it out")


def _in_place(pairs: Pairs, dataset: Dataset, options: Options) -> Pairs:
    """Check windows against their video; cut and move windows to the grid if requested."""
    moved, off_grid, total, unsorted, late = [], 0, 0, 0, 0
    for prediction, annotation in zip(pairs.predictions, pairs.annotations, strict=True):
        spans = prediction.windows
        if spans is not None:
            spans = _inside(spans, prediction, annotation, pairs.path, dataset, options.outside)
            off_grid, total = off_grid + _off_grid(spans, dataset.clip_length), total + len(spans)
            late += int((spans[:, 1] > _end(annotation) + dataset.clip_length + TOLERANCE).sum())
            unsorted += bool((np.diff(spans[:, 2]) > 0).any())
            if options.round_to:
                spans = to_grid(spans, options.round_to, dataset.limit(annotation.duration))
        moved.append(replace(prediction, windows=spans))
    if off_grid and dataset.rounded and not options.round_to:
        lie = "lies" if off_grid == 1 else "lie"
        pairs.notes.append(
            f"{off_grid} of {counted(total, 'window')} {lie} off the {dataset.clip_length:.4g} s "
            "grid to which the DETR family rounds its predictions; --round-to moves them"
        )
    if late:
        end = "ends" if late == 1 else "end"
        pairs.notes.append(
            f"{late} of {counted(total, 'window')} {end} more than a clip after the end of the "
            "video; they are scored as they are"
        )
    if unsorted:
        pairs.notes.append(
            f"{queries(unsorted)} with windows that are not sorted by score, best first: "
            "recall and mIoU take them in the order of the list, mAP by score"
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
    """Return the windows; if one reaches outside the video, do what `outside` says (`Options`).

    Two kinds of windows may end after their video. Rounding moves an end by up to half a clip.
    Published windows of a dataset are cut at one time, `Dataset.clamp`, which is the same for all
    videos and may be after the end of a short video.
    """
    duration = _end(annotation)
    limit = max(duration + dataset.clip_length / 2, dataset.clamp or 0.0)  # as published windows do
    beyond = (spans[:, 0] < -TOLERANCE) | (spans[:, 1] > limit + TOLERANCE)
    if outside == "keep" or not beyond.any():
        return spans
    if outside == "cut":
        return np.column_stack([np.clip(spans[:, :2], 0, duration), spans[:, 2:]])
    where = entry("pred_relevant_windows", spans, int(np.argmax(beyond)))
    what = f"{where} reaches outside the video, which lasts {duration:g} s"
    raise LineError(
        path, prediction.line, what, "correct it, or add --outside keep or --outside cut"
    )


def _end(annotation: Annotation) -> float:
    """Return the end of the video in seconds; infinite if it is not stated."""
    return np.inf if annotation.duration is None else annotation.duration


def _off_grid(spans: Array, clip_length: float) -> int:
    steps = spans[:, :2] / clip_length
    return int((np.abs(steps - np.round(steps)) * clip_length > TOLERANCE).any(axis=1).sum())


def _check_clips(rated: Pairs, clip_length: float) -> None:
    """Check the number of clips, which depends on the durations: each clip takes memory."""
    clips = sum((a.duration or 0.0) / clip_length for a in rated.annotations)
    if clips > MOST_CLIPS:
        what = f"the queries with saliency_scores have {clips:.0f} clips together, more than "
        todo = "check the durations, or give a longer --clip-length"
        raise RdmfError(f"{what}{MOST_CLIPS}", rated.truth_path, todo)


def _rating_matrix(annotation: Annotation, clip_length: float) -> Array:
    assert annotation.ratings is not None
    assert annotation.clip_ids is not None
    assert annotation.duration is not None
    return qvhighlights.relevance(
        annotation.duration, annotation.clip_ids, annotation.ratings, clip_length
    )


def tell_lengths(pairs: Pairs, saliency: Sequence[Array], clips: Sequence[int], rule: str) -> None:
    """Add a note if a query has slightly fewer scores than clips, or more scores than clips.

    Args:
        pairs: the queries; the notes are added to their notes.
        saliency: (T,) scores of each query.
        clips: number of clips of each query.
        rule: what happens to clips without a score.

    Raises:
        LineError: a query has far fewer scores than clips.
    """
    for prediction, row, count in zip(pairs.predictions, saliency, clips, strict=True):
        if len(row) < count and not fits(len(row), count):
            scores = counted(len(row), "pred_saliency_score")
            what = f"{scores} for a video of {counted(count, 'clip')}"
            todo = "write one score per clip, and check the clip length"
            raise LineError(pairs.path, prediction.line, what, todo)
    notes = pairs.notes
    short = sum(len(row) < count for row, count in zip(saliency, clips, strict=True))
    long = sum(len(row) > count for row, count in zip(saliency, clips, strict=True))
    if short:
        notes.append(f"{queries(short)} with fewer saliency scores than clips: the others {rule}")
    if long:
        notes.append(f"{queries(long)} with more saliency scores than clips: the surplus is cut")


def legacy_overlap(dataset: Dataset, options: Options) -> float:
    """Return the IoU above which 2D-TAN's rules suppress a window.

    Raises:
        UsageError: neither the options nor the dataset define this IoU.
    """
    overlap = options.nms if options.nms is not None else dataset.legacy_nms
    if overlap is None:
        todo = "give --nms, or use Ego4D's own rules: --dataset ego4d-nlq"
        raise UsageError(f"2D-TAN has no setting for {dataset.name}", "--nms", todo)
    return overlap

"""Predictions of our own head on features in the field's layout, ready to be scored."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from rdmf_cli.errors import RdmfError
from rdmf_cli.evaluation.annotations import Annotation, Annotations
from rdmf_cli.evaluation.datasets import Dataset
from rdmf_cli.evaluation.overlap import Array, to_grid
from rdmf_cli.evaluation.predictions import Prediction, Predictions
from rdmf_cli.features.files import load_text_features, load_video_features, visual_change
from rdmf_cli.moments import TrainingFree

TOP_K = 10  # windows a query: mean average precision looks at no more
MOST_CLIPS_OFF = 1  # published features may be a clip longer or shorter than the duration says


def predict(
    annotations: Annotations,
    features: Path,
    dataset: Dataset,
    head: TrainingFree,
) -> Predictions:
    """One prediction a query, windows in seconds, best first, rounded as the dataset's are.

    features: a folder with `video/<vid>.npz` (rows (L, D)) and `text/qid<qid>.npz`.
    Raises RdmfError for a file that is missing, or rows that do not fit duration and clip length.
    """
    if not (features / "video").is_dir() or not (features / "text").is_dir():
        todo = f"extract them, or see {dataset.where}" if dataset.where else "extract them"
        raise RdmfError("there are no folders video/ and text/ with features here", features, todo)
    # Queries of one video follow each other in the benchmarks' files.
    video = lru_cache(maxsize=8)(load_video_features)
    entries = [
        _predict(annotation, video(_video_file(features, annotation)), features, dataset, head)
        for annotation in annotations
    ]
    return Predictions(annotations.path, entries)


def _video_file(features: Path, annotation: Annotation) -> Path:
    return features / "video" / f"{annotation.vid}.npz"


def _predict(
    annotation: Annotation, rows: Array, features: Path, dataset: Dataset, head: TrainingFree
) -> Prediction:
    _check_length(annotation, len(rows), features, dataset.clip_length)
    text, _ = load_text_features(features / "text" / f"qid{annotation.qid}.npz")
    reading = head.read(
        rows @ text,
        visual_change(rows),
        clip_length=dataset.clip_length,
        duration=annotation.duration,
        top_k=TOP_K,
    )
    windows = np.column_stack([reading.spans, reading.raw_scores])
    if dataset.rounded:
        windows = _rounded(windows, dataset)
    return Prediction(annotation.qid, windows, reading.saliency_raw, annotation.vid)


def _rounded(windows: Array, dataset: Dataset) -> Array:
    """On the clip grid, as published predictions are, and never shorter than a clip."""
    windows = to_grid(windows, dataset.clip_length, dataset.clamp)
    windows[:, 1] = np.maximum(windows[:, 1], windows[:, 0] + dataset.clip_length)
    return windows


def _check_length(annotation: Annotation, clips: int, features: Path, clip_length: float) -> None:
    if annotation.duration is None:
        return
    expected = annotation.duration / clip_length
    if abs(clips - expected) > MOST_CLIPS_OFF + 0.02 * expected:
        raise RdmfError(
            f"has {clips} rows, but {annotation.duration:g} s are {expected:.1f} clips "
            f"of {clip_length:g} s",
            _video_file(features, annotation),
            "check the clip length of these features",
        )

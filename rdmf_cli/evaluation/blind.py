"""A blind baseline: it predicts typical windows of the train split, as shares of each video.

The baseline sees neither the video nor the query. A method that is not far better has learned
little more than where moments usually lie in this dataset: Otani, Nakashima, Rahtu, Heikkilä,
"Uncovering Hidden Challenges in Query-Based Video Moment Retrieval", BMVC 2020.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rdmf_cli.datasets.annotations import Annotation, Annotations
from rdmf_cli.errors import RdmfError
from rdmf_cli.evaluation.overlap import Array, iou_over_hull
from rdmf_cli.evaluation.predictions import Prediction, Predictions

STEPS = 20  # a window begins and ends at multiples of 1/20 of its video
WINDOWS = 10
MOST_MOMENTS = 50_000  # the largest number of moments of the train split that are used


def shares_of(annotations: Iterable[Annotation]) -> Array:
    """Convert moments to shares of their video's duration.

    Returns:
        (N, 2) [start, end] in [0, 1] of every moment in a video with a known duration.
    """
    shares = [
        np.clip(annotation.windows / annotation.duration, 0, 1)
        for annotation in annotations
        if annotation.windows is not None and annotation.duration is not None
    ]
    return np.concatenate([np.empty((0, 2)), *shares])


def typical_windows(moments: Array, count: int = WINDOWS) -> Array:
    """Choose, one after another, the windows that together overlap most with the moments.

    The first window has the highest mean IoU with the moments. Each further window is chosen so
    that the mean over moments of the best IoU rises most.

    Args:
        moments: (N, 2) shares of a video, at least one.
        count: number of windows.

    Returns:
        (count, 2) [start, end] in [0, 1].
    """
    moments = moments[:: -(-len(moments) // MOST_MOMENTS)]
    grid = np.arange(STEPS + 1) / STEPS
    starts, ends = np.triu_indices(STEPS + 1, k=1)
    candidates = np.column_stack([grid[starts], grid[ends]])  # (C, 2)
    iou = iou_over_hull(candidates[None], moments[None])[0]  # (C, N)
    best = np.zeros(len(moments))
    chosen: list[int] = []
    for _ in range(count):
        gain = np.maximum(iou, best).mean(axis=1)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        best = np.maximum(best, iou[chosen[-1]])
    return candidates[chosen]


def blind_predictions(train: Annotations, queries: Sequence[Annotation]) -> Predictions:
    """Predict the train split's typical windows for every query.

    Raises:
        RdmfError: The train split has no moments, or its durations are not known.
    """
    moments = shares_of(train)
    if not len(moments):
        what = "has no moment in a video with a known duration"
        raise RdmfError(what, train.path, "give annotations with relevant_windows and duration")
    windows = typical_windows(moments)
    scores = np.arange(len(windows), 0, -1) / len(windows)
    return Predictions(
        Path(f"blind ({train.path.name})"),
        [
            Prediction(query.qid, np.column_stack([windows * _duration(query), scores]))
            for query in queries
        ],
    )


def _duration(query: Annotation) -> float:
    if query.duration is None:
        todo = "give annotations with durations (JSON Lines)"
        raise RdmfError(f"qid {query.qid!r} has no duration, which --train needs", todo=todo)
    return query.duration

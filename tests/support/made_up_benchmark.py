"""An artificial benchmark of three queries, and functions that damage its files."""

from __future__ import annotations

import copy
import json
from pathlib import Path

ANNOTATIONS = [
    {
        "qid": 1,
        "query": "a kettle boils",
        "vid": "kitchen",
        "duration": 20,
        "relevant_windows": [[0, 10]],
        "relevant_clip_ids": [0, 1, 2, 3, 4],
        "saliency_scores": [[4, 4, 4], [3, 2, 4], [3, 2, 2], [2, 2, 1], [4, 1, 0]],
    },
    {
        "qid": 2,
        "query": "someone sits down",
        "vid": "kitchen",
        "duration": 20,
        "relevant_windows": [[12, 16], [18, 20]],
        "relevant_clip_ids": [6, 7, 9],
        "saliency_scores": [[4, 3, 2], [4, 4, 4], [2, 2, 2]],
    },
    {
        "qid": "third",
        "query": "a dog runs",
        "vid": "meadow",
        "duration": 11,
        "relevant_windows": [[0, 11]],
        "relevant_clip_ids": [0, 1, 2, 3, 4],
        "saliency_scores": [[2, 2, 2]] * 5,
    },
]

PREDICTIONS = [
    {
        "qid": "third",  # in another order than the annotations
        "query": "a dog runs",
        "vid": "meadow",
        "pred_relevant_windows": [[0.0, 12.0, 0.75], [4.0, 8.0, 0.5]],
        "pred_saliency_scores": [0.1, 0.5, 0.4, 0.3, 0.2],
    },
    {
        "qid": 1,
        "query": "a kettle boils",
        "vid": "kitchen",
        "pred_relevant_windows": [[0.0, 8.0, 0.9], [10.0, 20.0, 0.5]],
        "pred_saliency_scores": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0],
    },
    {
        "qid": 2,
        "query": "someone sits down",
        "vid": "kitchen",
        "pred_relevant_windows": [[12.0, 16.0, 0.9], [0.0, 4.0, 0.5], [18.0, 20.0, 0.2]],
        "pred_saliency_scores": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    },
]
# IoU of the first predictions: 11/12, 8/10, 1.


def written(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def with_change(rows: list[dict], row: int, **change: object) -> list[dict]:
    """Copy records; one record has other values. None removes a key."""
    changed = copy.deepcopy(rows)
    changed[row] = {k: v for k, v in {**changed[row], **change}.items() if v is not None}
    return changed

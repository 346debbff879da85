"""Read a split of QVHighlights-captions for the search, with its features and labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rdmf_cli.channels.similarity import standardise

FOLDS = 5
YOUTUBE_ID = 11  # characters at the start of a video's name


@dataclass(frozen=True)
class Split:
    """Q queries, padded to L clips.

    similarity, mask (Q, L); change (Q, L - 1); windows: true windows (Q, G, 2) in seconds, padded
    with NaN; duration (Q,); youtube (Q,) YouTube id of the source; clips: Q arrays (T, D) and
    queries (Q, D) of unit rows; rows: the annotations.
    """

    similarity: np.ndarray
    change: np.ndarray
    mask: np.ndarray
    windows: np.ndarray
    duration: np.ndarray
    youtube: np.ndarray
    rows: list[dict[str, Any]]
    clips: list[np.ndarray]
    queries: np.ndarray

    def __len__(self) -> int:
        return len(self.similarity)

    @cached_property
    def z(self) -> np.ndarray:
        return standardise(self.similarity, self.mask).astype(np.float32)

    @cached_property
    def fold(self) -> np.ndarray:
        """Return the fold of each query of train; videos of one YouTube id are in the same fold."""
        names, number = np.unique(self.youtube, return_inverse=True)
        return (np.random.default_rng(0).permutation(len(names)) % FOLDS)[number]


def unit_rows(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float32)
    unit: np.ndarray = x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-5)
    return unit


def load(features: Path, name: str) -> Split:
    """Load a split: similarities and visual change from its features, and the annotations."""
    rows = [json.loads(line) for line in (features / f"{name}.jsonl").open(encoding="utf-8")]
    files = {row["vid"]: features / "video" / f"{row['vid']}.npz" for row in rows}
    clips = {vid: unit_rows(np.load(file)["features"]) for vid, file in files.items()}
    texts = [np.load(features / "text" / f"qid{row['qid']}.npz")["pooler_output"] for row in rows]
    videos = [clips[row["vid"]] for row in rows]
    queries = unit_rows(np.stack(texts))
    return Split(
        similarity=padded([v @ q for v, q in zip(videos, queries, strict=True)]),
        change=padded([1 - (v[1:] * v[:-1]).sum(1) for v in videos]),
        mask=padded([np.ones(len(v), bool) for v in videos]),
        windows=padded([np.array(row["relevant_windows"], float) for row in rows], np.nan),
        duration=np.array([float(row["duration"]) for row in rows]),
        youtube=np.array([row["vid"][:YOUTUBE_ID] for row in rows]),
        rows=rows,
        clips=videos,
        queries=queries,
    )


def padded(arrays: list[np.ndarray], fill: float = 0) -> np.ndarray:
    longest = max(map(len, arrays))
    out = np.full((len(arrays), longest, *arrays[0].shape[1:]), fill, dtype=arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return out

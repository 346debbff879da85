"""Group queries by the length, the position and the number of their moments."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
import numpy.typing as npt

from rdmf_cli.datasets.annotations import Annotation
from rdmf_cli.evaluation.retrieval import LENGTH_GROUPS

Flags = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]
Groups = dict[str, dict[str, Flags]]
"""{"length": {"short": (Q,) whether each query is in the group, …}, …}"""

POSITIONS = {"start": (-inf, 1 / 3), "middle": (1 / 3, 2 / 3), "end": (2 / 3, inf)}
"""Groups by the mean centre of a query's moments, as a share of the video: above the first number,
up to the second number."""

NUMBERS = {"1": (0.0, 1.0), "2": (1.0, 2.0), "3 or more": (2.0, inf)}
"""Groups by the number of a query's moments: above the first number, up to the second number."""


def grouped(annotations: Sequence[Annotation]) -> Groups:
    """Group queries by their moments; a query without a moment is in no group.

    A query on a video with an unknown duration has no position.
    """
    windows = [_windows(annotation) for annotation in annotations]
    lengths = [_mean(row[:, 1] - row[:, 0]) for row in windows]
    centres = [
        _mean(row.mean(axis=1)) / (annotation.duration or np.nan)
        for row, annotation in zip(windows, annotations, strict=True)
    ]
    numbers = [float(len(row)) or np.nan for row in windows]
    return {
        "length": _within(lengths, LENGTH_GROUPS),
        "position": _within(centres, POSITIONS),
        "moments": _within(numbers, NUMBERS),
    }


def _windows(annotation: Annotation) -> Array:
    return np.empty((0, 2)) if annotation.windows is None else annotation.windows


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else np.nan


def _within(values: Sequence[float], bounds: dict[str, tuple[float, float]]) -> dict[str, Flags]:
    column = np.asarray(values, dtype=np.float64)
    found = {name: (column > low) & (column <= high) for name, (low, high) in bounds.items()}
    return {name: flags for name, flags in found.items() if flags.any()}

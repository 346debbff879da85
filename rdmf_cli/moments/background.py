"""What a query that is not shown looks like: sentences to compare it with.

A similarity means little by itself: encoders differ in scale, and videos in how near to any text
they lie. So the strongest similarity of the query is measured against the strongest similarities
of sentences nobody asked for (`rdmf_cli.encoders.background`, say).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rdmf_cli.moments.field import LEAST_DEVIATION

STRONGEST = 3
"""Clips whose mean similarity stands for the best a sentence reaches: one clip may err."""


def strongest(similarity: np.ndarray) -> np.ndarray:
    """(...): mean of the highest similarities over time, the last axis (all, where few); not NaN.

    Of a video without clips: 0.
    """
    few = min(STRONGEST, similarity.shape[-1])
    if few == 0:
        return np.zeros(similarity.shape[:-1])
    return np.sort(similarity, axis=-1)[..., -few:].mean(axis=-1)


@dataclass(frozen=True)
class Background:
    """How strong a similarity sentences reach in a video that have nothing to do with it.

    >>> Background.of(normalise_rows(clips) @ normalise_rows(sentences).T)  # (L, S)
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, similarities: np.ndarray) -> Background:
        """From the cosines (L, S) of L clips and S background sentences."""
        reached = strongest(np.asarray(similarities, dtype=np.float64).T)
        if reached.size == 0:
            return cls(0.0, 1.0)
        return cls(float(reached.mean()), max(float(reached.std()), LEAST_DEVIATION))

    def excess(self, reached: float) -> float:
        """How many deviations `reached` lies above the background."""
        return (reached - self.mean) / self.deviation

"""What a query that is not shown looks like: sentences to compare it with.

A similarity means little by itself: encoders differ in scale, and videos in how near to any text
they lie. So the strongest similarity of the query is measured against the strongest similarities
of sentences nobody asked for (`rdmf_cli.encoders.background`, say).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rdmf_cli.channels.similarity import LEAST_DEVIATION
from rdmf_cli.errors import RdmfError

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

    @classmethod
    def in_video(cls, rows: np.ndarray, sentences: np.ndarray) -> Background:
        """Measure what unrelated sentences reach in a video.

        Args:
            rows: (L, S) unit rows of its clips, in the sentences' space.
            sentences: (N, S) unit rows.

        Raises:
            RdmfError: the two are not of one width.
        """
        if sentences.shape[-1] != rows.shape[-1]:
            wide = f"background sentences are {sentences.shape[-1]} wide, clips {rows.shape[-1]}"
            raise RdmfError(wide, todo="encode them with the encoder of the features")
        return cls.of(rows @ sentences.T)

    def excess(self, reached: float) -> float:
        """How many deviations `reached` lies above the background."""
        return (reached - self.mean) / self.deviation


BACKGROUND = (
    "a person walks down a street",
    "a dog runs on the grass",
    "a car drives along a road",
    "people sit at a table and eat",
    "a child plays in a park",
    "a woman talks to the camera",
    "a man works at a desk",
    "a plate of food on a table",
    "a boat on the water",
    "a crowd watches a game",
    "a bird in a tree",
    "a room with a sofa and a window",
    "snow on a mountain",
    "a building in a city",
    "a hand holds a small object",
    "a singer on a stage",
    "a horse in a field",
    "a kitchen with a stove",
    "an airplane in the sky",
    "waves on a beach",
    "a screen with text on it",
    "two people shake hands",
    "a bicycle leans on a wall",
    "a train at a station",
    "flowers in a garden",
    "a person cuts vegetables",
    "a shop with many things on its shelves",
    "a ball on a field",
    "a night street with lights",
    "a map of a country",
    "an old man reads a book",
    "a machine in a factory",
)

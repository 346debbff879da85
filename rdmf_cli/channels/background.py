"""Background sentences: how strongly unrelated text matches a video.

A cosine similarity means little by itself: its scale depends on the encoder, and its level on the
video. So the query's best similarity is compared with the best similarities of the sentences in
`BACKGROUND`, which have nothing to do with the video.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rdmf_cli.channels.similarity import LEAST_DEVIATION
from rdmf_cli.errors import RdmfError

STRONGEST = 3
"""A sentence's best similarity is the mean over this many clips: a single clip may be wrong."""


def strongest(similarity: np.ndarray) -> np.ndarray:
    """Average the highest similarities over time.

    Args:
        similarity: (..., L) cosine of each clip and a sentence, without NaN.

    Returns:
        (...) mean over the `STRONGEST` best clips, or over all clips if there are fewer; 0 without
        clips.
    """
    few = min(STRONGEST, similarity.shape[-1])
    if few == 0:
        return np.zeros(similarity.shape[:-1])
    strongest_mean: np.ndarray = np.sort(similarity, axis=-1)[..., -few:].mean(axis=-1)
    return strongest_mean


@dataclass(frozen=True)
class Background:
    """Mean and deviation of the best similarities that unrelated sentences reach in a video.

    >>> Background.of(normalise_rows(clips) @ normalise_rows(sentences).T)  # (L, S)

    Attributes:
        mean: mean of `strongest` over the sentences (cosine).
        deviation: standard deviation of `strongest` over the sentences, above 0.
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, similarities: np.ndarray) -> Background:
        """Measure the background from similarities.

        Args:
            similarities: (L, S) cosines of L clips and S background sentences.

        Returns:
            The background; mean 0 and deviation 1 if there are no sentences.
        """
        reached = strongest(np.asarray(similarities, dtype=np.float64).T)
        if reached.size == 0:
            return cls(0.0, 1.0)
        return cls(float(reached.mean()), max(float(reached.std()), LEAST_DEVIATION))

    @classmethod
    def in_video(cls, rows: np.ndarray, sentences: np.ndarray) -> Background:
        """Measure the background from features.

        Args:
            rows: (L, S) features of the clips in the same space as the sentences, rows of unit
                length.
            sentences: (N, S) features of the background sentences, rows of unit length.

        Raises:
            RdmfError: `rows` and `sentences` differ in width.
        """
        if sentences.shape[-1] != rows.shape[-1]:
            wide = f"background sentences are {sentences.shape[-1]} wide, clips {rows.shape[-1]}"
            raise RdmfError(wide, todo="encode them with the encoder of the features")
        return cls.of(rows @ sentences.T)

    def excess(self, reached: float) -> float:
        """Return by how many standard deviations `reached` (a cosine) exceeds the background."""
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
"""English sentences of everyday scenes that serve as the background of every video."""

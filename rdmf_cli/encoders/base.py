"""What every encoder is to the rest of rdmf: images to rows, texts to rows and word states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class TextFeatures:
    """What an encoder says of N texts; nothing is normalised.

    rows:  float32 (N, D), in the space of the image rows
    words: N arrays float32 (T_n, W): the word states, start and end tokens kept
    cut:   N times whether the end of the text was not read, as the tower's context is too short
    """

    rows: np.ndarray
    words: tuple[np.ndarray, ...]
    cut: tuple[bool, ...]


@runtime_checkable
class Encoder(Protocol):
    """An image tower and a text tower that share one space of `size` dimensions.

    name:        what the user types after --encoder: "embedded", "ViT-B-32/openai"
    size:        D, the width of image rows and text rows
    fingerprint: changes whenever the weights or the preprocessing do; part of the cache key
    batch:       how many images `encode_images` likes to get at once
    """

    name: str
    size: int
    fingerprint: str
    batch: int

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """One frame, uint8 RGB (H, W, 3), as the image tower wants it (any dtype, fixed shape).

        Called in the decoding thread, so that only small arrays wait in the queue.
        """
        ...

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """N prepared frames, stacked, to float32 rows (N, D), not normalised."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """N texts of any length and script; what is past the tower's context is cut."""
        ...

"""Find the words of a query that make a moment stand out: leave out each word in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

LEAST_CONTRAST: Final = 1e-3
"""If a moment stands out by less than this (cosine), no word makes it stand out."""


class WordShare(NamedTuple):
    """One word of a query.

    Attributes:
        word: The word.
        share: The share of the moment's contrast that is lost without the word. Below 0: without
            the word the moment stands out more.
    """

    word: str
    share: float


def without_each(words: Sequence[str]) -> list[str]:
    """Return the query without each of its words in turn.

    >>> without_each(["a", "red", "car"])
    ['red car', 'a car', 'a red']
    """
    return [" ".join((*words[:n], *words[n + 1 :])) for n in range(len(words))]


def contrast(rows: Array, sentence: Array, clips: slice) -> float:
    """Return how much better some clips match a sentence than all clips do (difference of cosines).

    Args:
        rows: (L, D) features of the clips, unit length.
        sentence: (D,) feature of the sentence, unit length.
        clips: The clips of the moment, at least one.
    """
    similarity = rows @ sentence
    return float(similarity[clips].mean() - similarity.mean())


def word_shares(
    words: Sequence[str], whole: float, without: Sequence[float]
) -> tuple[WordShare, ...]:
    """Return the share of each word, the largest first; nothing if the moment does not stand out.

    The shares need not add up to 1. If two words have the same meaning, the moment stands out
    without either word, so both shares are small.

    Args:
        words: The words of the query.
        whole: The moment's contrast with the whole query.
        without: For each word, the moment's contrast with the query without that word.
    """
    if whole < LEAST_CONTRAST:
        return ()
    shares = (
        WordShare(word, 1.0 - less / whole) for word, less in zip(words, without, strict=True)
    )
    return tuple(sorted(shares, key=lambda one: -one.share))

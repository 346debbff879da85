"""A query as features: words, pictures, or a weighted mixture of words and pictures.

To make a mixture, multiply the unit feature of each term by the weight of the term, add the
products, and bring the sum to unit length. The background of a mixture consists of mixtures, too:
an unrelated sentence takes the place of each sentence, and an unrelated picture the place of each
picture. A picture is more similar to any clip than a sentence is. The background of a picture is
also more similar, so presence means the same for pictures and sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import BACKGROUND, Background
from rdmf_cli.channels.question import MOST_WORDS
from rdmf_cli.encoders.base import Encoder
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.features import FeatureStore, Selection, extract, normalise_rows
from rdmf_cli.resources import example_video
from rdmf_cli.text import valid_text

Array = npt.NDArray[np.float32]

LEAST_LENGTH = 1e-3
"""If the sum of a mixture is shorter than this, its terms cancel each other."""

PICTURE_EVERY = 5.0
"""Background pictures are chosen from frames of the example video, this many seconds apart."""

SAME_PICTURE = 0.8
"""Cosine above which two frames show the same scene. The example video has eight scenes."""


@dataclass(frozen=True, eq=False)
class Term:
    """One part of a query.

    Attributes:
        text: the words of the term, or a name for its picture.
        picture: uint8 RGB (H, W, 3); None: the term consists of words.
        weight: how much the term counts. Below 0: clips that look like the term count less.
    """

    text: str
    picture: np.ndarray | None = None
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class QueryFeatures:
    """The features of a query, as an encoder makes them; all rows have unit length.

    Attributes:
        sentence: (D,) feature of the whole query, in the space of the clips.
        words: (T, W) features of the query's words; T = 0 if a picture is part of the query.
        background: (B, D) features of unrelated queries of the same kind.
        scale: similarities of the background to the background pictures. Cosines of the query are
            compared with this scale, which is the same for every video.
        cut: whether the text was too long, so that the encoder did not read its end.
        text: the words of the query, if it is a single term of words; else empty.
    """

    sentence: Array
    words: Array
    background: Array
    scale: Background
    cut: bool = False
    text: str = ""


@dataclass(frozen=True)
class Backgrounds:
    """Features of unrelated sentences and pictures, as rows of unit length.

    Each attribute is a function, which is called when its features are needed.

    Attributes:
        sentences: A function that returns the features (B, D) of unrelated sentences.
        pictures: A function that returns the features (P, D) of unrelated pictures.
    """

    sentences: Callable[[], Array]
    pictures: Callable[[], Array]


def described(terms: Sequence[Term]) -> str:
    """Write a query in one line.

    >>> described([Term("a horse"), Term("stripes", weight=0.5), Term("grass", weight=-1)])
    'a horse + 0.5:stripes - grass'
    """
    said = ""
    for place, term in enumerate(terms):
        sign = "-" if term.weight < 0 else "+"
        weight = "" if abs(term.weight) == 1 else f"{abs(term.weight):g}:"
        lead = ("- " if term.weight < 0 else "") if place == 0 else f" {sign} "
        said += f"{lead}{weight}{' '.join(valid_text(term.text).split())}"
    return said


def query_features(
    terms: Sequence[Term], encoder: Encoder, backgrounds: Backgrounds
) -> QueryFeatures:
    """Encode a query of one or several terms.

    Args:
        terms: The terms. Only the ratios of their weights matter.
        encoder: The encoder of the clips.
        backgrounds: Features of unrelated sentences and pictures.

    Raises:
        UsageError: There is no term, or the terms cancel each other.
    """
    if not terms:
        raise UsageError("the query is empty", todo="describe what to look for")
    texts = [term.text for term in terms if term.picture is None]
    pictures = [encoder.prepare(term.picture) for term in terms if term.picture is not None]
    said = encoder.encode_texts(texts) if texts else None
    seen = encoder.encode_images(np.stack(pictures)) if pictures else None
    of_texts = iter(() if said is None else normalise_rows(said.rows))
    of_pictures = iter(() if seen is None else normalise_rows(seen))
    rows = [next(of_texts if term.picture is None else of_pictures) for term in terms]
    words = said.words[0] if said is not None and len(terms) == 1 else np.zeros((0, encoder.size))
    background = _mixed_backgrounds(terms, backgrounds)
    return QueryFeatures(
        sentence=_mixed(terms, rows),
        words=normalise_rows(words[:MOST_WORDS]),
        background=background,
        scale=_scale(terms, background, backgrounds.pictures()),
        cut=said is not None and any(said.cut),
        text=terms[0].text if not _is_mixed(terms) and terms[0].picture is None else "",
    )


def _mixed(terms: Sequence[Term], rows: Sequence[Array]) -> Array:
    if not _is_mixed(terms):
        return rows[0]
    weights = np.array([term.weight for term in terms])
    mixed = weights @ np.stack(rows) / max(float(np.abs(weights).sum()), LEAST_LENGTH)
    if float(np.linalg.norm(mixed)) < LEAST_LENGTH:
        todo = "change the weights, or leave a part out"
        raise UsageError("the parts of the query cancel each other", todo=todo)
    return np.asarray(normalise_rows(mixed), np.float32)


def _mixed_backgrounds(terms: Sequence[Term], backgrounds: Backgrounds) -> Array:
    """(B, D): the same mixture; something unrelated of the same kind replaces each term."""
    if not _is_mixed(terms):
        return _background_of(terms[0], backgrounds)
    pools = [_background_of(term, backgrounds) for term in terms]
    count = max(map(len, pools))
    mixed = sum(
        term.weight * pool[(np.arange(count) + place) % len(pool)]
        for place, (term, pool) in enumerate(zip(terms, pools, strict=True))
    )
    return np.asarray(normalise_rows(np.asarray(mixed)), np.float32)


def _scale(terms: Sequence[Term], background: Array, pictures: Array) -> Background:
    """Measure the similarities of the background sentences to unrelated pictures."""
    cosines = pictures @ background.T
    for place, term in enumerate(terms):
        if term.picture is not None:
            own = (np.arange(len(background)) + place) % len(pictures)
            cosines[own, np.arange(len(background))] = cosines.min()
    return Background.of(cosines)


def _is_mixed(terms: Sequence[Term]) -> bool:
    return len(terms) > 1 or terms[0].weight < 0


def _background_of(term: Term, backgrounds: Backgrounds) -> Array:
    return backgrounds.sentences() if term.picture is None else backgrounds.pictures()


def stored_backgrounds(encoder: Encoder, store: FeatureStore | None) -> Backgrounds:
    """Encode the backgrounds once per encoder; later calls find them in the cache.

    The sentences are `BACKGROUND`. The pictures are frames of the example video, which shows a
    different photograph every few seconds.
    """
    return Backgrounds(
        lru_cache(maxsize=1)(lambda: _sentences(encoder, store)),
        lru_cache(maxsize=1)(lambda: _pictures(encoder, store)),
    )


def _sentences(encoder: Encoder, store: FeatureStore | None) -> Array:
    key = {"background": list(BACKGROUND), "encoder_fingerprint": encoder.fingerprint}
    if store and (found := store.get(key)):
        return normalise_rows(found[0])
    # In the precision of the cache: the first answer and later answers are equal to the last digit.
    rows = encoder.encode_texts(BACKGROUND).rows.astype(np.float16)
    if store:
        # If the cache cannot be written, the code that keeps the features of the video says so.
        with suppress(RdmfError):
            store.put(key, rows, {"video": "(background sentences)"})
    return normalise_rows(rows)


def _pictures(encoder: Encoder, store: FeatureStore | None) -> Array:
    features = extract(example_video(), encoder, Selection(PICTURE_EVERY), store=store)
    chosen: list[Array] = []
    for row in normalise_rows(features.rows):
        if all(float(row @ other) < SAME_PICTURE for other in chosen):
            chosen.append(row)
    return np.stack(chosen)

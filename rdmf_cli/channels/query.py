"""A query as features: words, pictures, or a weighted mixture of both.

A mixture is the sum of the unit features of its terms, each times its weight, brought to unit
length again. What it is compared with are mixtures too: for every term, something of the same kind
that nobody asked for takes its place. So presence means the same for a picture, which lies nearer
to any clip than a sentence does.
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
from rdmf_cli.features import FeatureStore, extract, normalise_rows
from rdmf_cli.resources import example_video
from rdmf_cli.text import valid_text

Array = npt.NDArray[np.float32]

LEAST_LENGTH = 1e-3
"""A mixture shorter than that says nothing: its terms cancel."""

PICTURE_EVERY = 5.0
"""Seconds between the frames of the example video that background pictures are chosen from."""

SAME_PICTURE = 0.8
"""Cosine above which two frames show the same: the example video has eight scenes."""


@dataclass(frozen=True, eq=False)
class Term:
    """One part of a query.

    Attributes:
        text: its words, or what to call its picture.
        picture: uint8 RGB (H, W, 3); None: the term is its words.
        weight: how much it counts; below 0, clips that look like it count less.
    """

    text: str
    picture: np.ndarray | None = None
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class QueryFeatures:
    """A query as an encoder sees it; all rows have unit length.

    Attributes:
        sentence: (D,) in the space of the clips.
        words: (T, W) the states of its words; none where a picture is part of the query.
        background: (B, D) queries of the same make that have nothing to do with it.
        scale: how near to the background pictures the background comes: what a cosine is measured
            against, the same for every video.
        cut: whether the end of its words was not read.
        text: its words, where it is nothing but words; else empty.
    """

    sentence: Array
    words: Array
    background: Array
    scale: Background
    cut: bool = False
    text: str = ""


@dataclass(frozen=True)
class Backgrounds:
    """Unit rows of unrelated sentences and pictures; each function is called when needed.

    Attributes:
        sentences: (B, D) of unrelated sentences.
        pictures: (P, D) of unrelated pictures.
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
        terms: The parts; their weights compare with one another only.
        encoder: The encoder of the clips.
        backgrounds: Features of unrelated sentences and pictures.

    Raises:
        UsageError: There is no term, or the terms cancel.
    """
    if not terms:
        raise UsageError("the query is empty", todo="say what to look for")
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
    """(B, D): the same mixture of unrelated things, another in the place of each term."""
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
    """Encode the backgrounds once per encoder; later they are found in the cache.

    The sentences are `BACKGROUND`; the pictures are those of the example video, which shows a
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
    # In the precision of the cache: the first answer is that of later ones, to the last digit.
    rows = encoder.encode_texts(BACKGROUND).rows.astype(np.float16)
    if store:
        # A cache that cannot be written is said where the features are kept.
        with suppress(RdmfError):
            store.put(key, rows, {"video": "(background sentences)"})
    return normalise_rows(rows)


def _pictures(encoder: Encoder, store: FeatureStore | None) -> Array:
    features = extract(example_video(), encoder, clip_length=PICTURE_EVERY, store=store)
    chosen: list[Array] = []
    for row in normalise_rows(features.rows):
        if all(float(row @ other) < SAME_PICTURE for other in chosen):
            chosen.append(row)
    return np.stack(chosen)

"""A query of words, pictures, or both."""

from __future__ import annotations

import numpy as np
import pytest

from rdmf_cli.channels.query import Term, query_features, stored_backgrounds
from rdmf_cli.encoders.embedded.encoder import EmbeddedEncoder
from rdmf_cli.errors import UsageError
from rdmf_cli.features import FeatureStore, normalise_rows

ENCODER = EmbeddedEncoder()
PICTURE = np.random.default_rng(0).integers(0, 255, (64, 48, 3)).astype(np.uint8)


def asked(*terms: Term):
    return query_features(terms, ENCODER, stored_backgrounds(ENCODER, FeatureStore()))


def test_a_sentence_is_itself_with_its_words() -> None:
    text = ENCODER.encode_texts(["a dog"])
    query = asked(Term("a dog"))
    assert np.array_equal(query.sentence, normalise_rows(text.rows)[0])
    assert np.array_equal(query.words, normalise_rows(text.words[0]))
    assert len(query.background) == 32


def test_a_picture_has_no_words_and_is_compared_with_pictures() -> None:
    query = asked(Term("p.jpg", PICTURE))
    (row,) = normalise_rows(ENCODER.encode_images(ENCODER.prepare(PICTURE)[None]))
    assert np.allclose(query.sentence, row, atol=1e-6)
    assert len(query.words) == 0
    between = query.background @ query.background.T
    assert between[~np.eye(len(between), dtype=bool)].max() < 0.8  # no picture comes twice
    assert (
        query.scale.mean > asked(Term("a dog")).scale.mean
    )  # pictures are more similar to pictures than sentences are
    assert query.scale.mean < 0.8  # a picture is not compared with itself


def test_weights_compare_with_one_another_only() -> None:
    once = asked(Term("a dog"), Term("snow", weight=0.5))
    twice = asked(Term("a dog", weight=2), Term("snow", weight=1))
    assert np.allclose(once.sentence, twice.sentence, atol=1e-5)
    assert np.allclose(once.background, twice.background, atol=1e-5)
    assert len(once.words) == 0


def test_a_part_that_is_taken_away_lies_further_off() -> None:
    dog, snow = (asked(Term(text)).sentence for text in ("a dog", "snow"))
    less = asked(Term("a dog"), Term("snow", weight=-1)).sentence
    more = asked(Term("a dog"), Term("snow")).sentence
    assert less @ snow < dog @ snow < more @ snow
    assert np.linalg.norm(more) == pytest.approx(1, abs=1e-4)


def test_a_mixture_mixes_words_and_pictures() -> None:
    both = asked(Term("a dog"), Term("p.jpg", PICTURE))
    alone = asked(Term("a dog")).sentence, asked(Term("p.jpg", PICTURE)).sentence
    assert both.sentence @ alone[0] == pytest.approx(both.sentence @ alone[1], abs=1e-3)
    assert len(both.background) == 32


@pytest.mark.parametrize("terms", [(), (Term("a dog"), Term("a dog", weight=-1))])
def test_a_query_of_nothing_is_a_mistake_of_usage(terms) -> None:
    with pytest.raises(UsageError):
        asked(*terms)


def test_the_first_backgrounds_are_those_of_the_cache() -> None:
    first, later = asked(Term("a dog")), asked(Term("a dog"))
    assert np.array_equal(first.background, later.background)
    assert first.scale == later.scale

"""The features of texts are kept in the cache: a second query with the same text needs no tower."""

from pathlib import Path

import numpy as np
import pytest

from rdmf_cli.channels.texts import MOST_KEPT, text_features
from rdmf_cli.encoders import load_encoder
from rdmf_cli.encoders.base import TextFeatures
from rdmf_cli.features import FeatureStore

TEXTS = ["a red car", "two people shake hands on a stage, and the hall applauds for long"]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


class Counting:
    """The embedded encoder; it counts the texts that it encodes."""

    def __init__(self) -> None:
        self._encoder = load_encoder("embedded")
        self.encoded = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._encoder, name)

    def encode_texts(self, texts: list[str]) -> TextFeatures:
        self.encoded += len(texts)
        return self._encoder.encode_texts(texts)


def equal(one: TextFeatures, other: TextFeatures) -> bool:
    words = zip(one.words, other.words, strict=True)
    return (
        np.array_equal(one.rows, other.rows)
        and all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in words)
        and one.cut == other.cut
    )


def test_a_text_is_encoded_once_and_is_the_same_to_the_last_bit(store: FeatureStore) -> None:
    encoder = Counting()
    texts = [*TEXTS, "word " * 80]
    first = text_features(encoder, texts, store)
    again = text_features(Counting(), texts, store)
    assert encoder.encoded == 3
    assert equal(first, again)
    assert first.cut == (False, False, True)
    assert equal(first, text_features(encoder, texts, None))


def test_kept_texts_are_not_encoded(store: FeatureStore) -> None:
    text_features(Counting(), TEXTS, store)
    encoder = Counting()
    some = text_features(encoder, [TEXTS[1], "a boat", TEXTS[0]], store)
    assert encoder.encoded == 1
    assert equal(some, encoder.encode_texts([TEXTS[1], "a boat", TEXTS[0]]))


def test_another_encoder_finds_nothing(store: FeatureStore) -> None:
    text_features(Counting(), TEXTS, store)
    other = Counting()
    other.fingerprint = "of other weights"
    text_features(other, TEXTS, store)
    assert other.encoded == 2


def test_many_texts_are_encoded_at_once_and_not_kept(store: FeatureStore) -> None:
    text_features(Counting(), [f"number {i}" for i in range(MOST_KEPT + 1)], store)
    assert store.size() == 0


def test_a_damaged_entry_is_encoded_again(store: FeatureStore) -> None:
    right = text_features(Counting(), TEXTS[:1], store)
    (file,) = store.texts.folder.glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    encoder = Counting()
    assert equal(text_features(encoder, TEXTS[:1], store), right)
    assert encoder.encoded == 1


def test_texts_are_removed_with_the_cache(store: FeatureStore) -> None:
    text_features(Counting(), TEXTS, store)
    assert store.size() > 0
    assert store.entries() == []  # a list of the cache shows videos
    store.clear()
    assert store.size() == 0


def test_pruning_to_nothing_removes_texts(store: FeatureStore) -> None:
    text_features(Counting(), TEXTS, store)
    store.prune(0)
    assert store.size() == 0

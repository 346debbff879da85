"""The features of texts, kept in the cache, so that a repeated query needs no text tower."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from rdmf_cli.encoders.base import Encoder, TextFeatures
from rdmf_cli.errors import RdmfError
from rdmf_cli.features import FeatureStore

MOST_KEPT = 16
"""If a call has more texts, none is cached: it takes less time to encode them in one batch."""


def text_features(
    encoder: Encoder, texts: Sequence[str], store: FeatureStore | None
) -> TextFeatures:
    """Encode texts, or take their features from the cache; both give the same bits.

    Args:
        encoder: The encoder.
        texts: N texts.
        store: The cache; None: no cache.

    Returns:
        The features of the texts, in their order.
    """
    if store is None or not 0 < len(texts) <= MOST_KEPT:
        return encoder.encode_texts(texts)
    found = [_one(encoder, text, store.texts) for text in texts]
    return TextFeatures(
        np.concatenate([one.rows for one in found]),
        tuple(words for one in found for words in one.words),
        tuple(cut for one in found for cut in one.cut),
    )


def _one(encoder: Encoder, text: str, store: FeatureStore) -> TextFeatures:
    key = {"text": text, "encoder_fingerprint": encoder.fingerprint}
    if loaded := store.load(key):
        arrays, about = loaded
        return TextFeatures(arrays["rows"], (arrays["words"],), (bool(about["cut"]),))
    made = encoder.encode_texts([text])
    with suppress(RdmfError):  # the code that keeps a video's features reports the error
        store.put(key, made.rows, {"cut": made.cut[0]}, {"words": made.words[0]})
    return made

"""The encoder that rdmf carries with it: two small towers in the space of all-MiniLM-L6-v2.

How they were made, on what, and what they do not know: `weights/README.md`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from rdmf_cli.encoders.base import TextFeatures
from rdmf_cli.encoders.embedded.wordpieces import WordPieces
from rdmf_cli.errors import UsageError
from rdmf_cli.resources import load_weights, sha256_of, weights_folder

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

IMAGE_TOWER, TEXT_TOWER, PIECES = "embedded_image.onnx", "embedded_text.onnx", "embedded_pieces.txt"
SIDE = 224  # pixels
PREPROCESSING = f"squash-{SIDE}-bicubic-1"  # part of the fingerprint: change it with `prepare`
TEXTS_AT_ONCE = 32
MOST_THREADS = 1024


class EmbeddedEncoder:
    """Images and texts to rows of 384, by ONNX Runtime; each tower is loaded when first needed.

    >>> encoder = EmbeddedEncoder()
    >>> encoder.encode_texts(["a dog runs"]).rows.shape
    (1, 384)

    folder: where the weights lie; the shipped ones if not given.
    Raises RdmfError when the weights are missing or are not those of the manifest.
    """

    name = "embedded"
    size = 384
    batch = 16

    def __init__(self, folder: Path | None = None):
        self._folder = folder or weights_folder()
        hashes = [sha256_of(file, self._folder) for file in (IMAGE_TOWER, TEXT_TOWER, PIECES)]
        self.fingerprint = hashlib.sha256(" ".join([*hashes, PREPROCESSING]).encode()).hexdigest()

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3) to uint8 (224, 224, 3), squashed to a square.

        Squashed, not cropped: a centre crop would lose the sides of a wide picture, and the tower
        was trained on squashed photographs.
        """
        size = (SIDE, SIDE)
        image = Image.fromarray(np.ascontiguousarray(frame))
        return np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """Prepared frames uint8 (N, 224, 224, 3) to float32 rows (N, 384), not normalised."""
        batches = [images[i : i + self.batch] for i in range(0, len(images), self.batch)]
        rows = [self._image_tower.run(None, {"images": batch})[0] for batch in batches]
        return np.concatenate([np.zeros((0, self.size), np.float32), *rows])

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Texts to rows and word states; a text ends after its 46th word piece."""
        pieces = [self._pieces(text) for text in texts]
        rows = np.zeros((len(texts), self.size), np.float32)
        words = [rows[:0]] * len(texts)
        for chosen in _of_one_length(pieces):
            ids = np.array([pieces[i] for i in chosen], np.int64)
            found, states = self._text_tower.run(["rows", "words"], {"ids": ids})
            rows[chosen] = found
            for i, state in zip(chosen, states, strict=True):
                words[i] = state
        return TextFeatures(rows, tuple(words), tuple(map(self._pieces.overflows, texts)))

    @cached_property
    def _pieces(self) -> WordPieces:
        return WordPieces(load_weights(PIECES, self._folder).decode().splitlines())

    @cached_property
    def _image_tower(self) -> InferenceSession:
        return _session(load_weights(IMAGE_TOWER, self._folder))

    @cached_property
    def _text_tower(self) -> InferenceSession:
        return _session(load_weights(TEXT_TOWER, self._folder))


def _of_one_length(pieces: list[list[int]]) -> Iterator[list[int]]:
    """Places of texts with as many pieces each: without padding a row does not depend on others."""
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))
    for _, group in groupby(order, key=lambda i: len(pieces[i])):
        alike = list(group)
        yield from (alike[i : i + TEXTS_AT_ONCE] for i in range(0, len(alike), TEXTS_AT_ONCE))


def _threads() -> int:
    """RDMF_THREADS, or 0: as many as ONNX Runtime finds right."""
    given = os.environ.get("RDMF_THREADS") or "0"
    if not given.isdecimal() or int(given) > MOST_THREADS:
        todo = f"set it to a whole number up to {MOST_THREADS}, or unset it"
        raise UsageError(f"RDMF_THREADS is {given!r}", todo=todo)
    return int(given)


def _session(model: bytes) -> InferenceSession:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 3
    return InferenceSession(model, options, providers=["CPUExecutionProvider"])

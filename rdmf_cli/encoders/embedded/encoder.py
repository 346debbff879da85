"""The encoder that is part of rdmf: two small towers in the space of all-MiniLM-L6-v2.

`weights/README.md` describes their training, their data and their limits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rdmf_cli.encoders.base import TextFeatures
from rdmf_cli.encoders.embedded.kept_tower import kept_session
from rdmf_cli.encoders.embedded.wordpieces import WordPieces
from rdmf_cli.onnx_runtime import onnx_session
from rdmf_cli.resources import load_weights, sha256_of, weights_folder

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

IMAGE_TOWER, TEXT_TOWER, PIECES = "embedded_image.onnx", "embedded_text.onnx", "embedded_pieces.txt"
SIDE = 224  # pixels
PREPROCESSING = f"squash-{SIDE}-bicubic-1"  # part of the fingerprint: change it with `prepare`
TEXTS_AT_ONCE = 32
FEW_TEXTS = 16
"""Up to this number of texts, loading the text tower takes longer than running it."""


class EmbeddedEncoder:
    """An encoder with 384 dimensions, run by ONNX Runtime; a tower is loaded on its first use.

    >>> encoder = EmbeddedEncoder()
    >>> encoder.encode_texts(["a dog runs"]).rows.shape
    (1, 384)

    Args:
        folder: Folder of the weights; None: the weights that are part of rdmf.

    Raises:
        RdmfError: Weights are missing, or their hash differs from the manifest.
    """

    name = "embedded"
    size = 384
    batch = 16

    def __init__(self, folder: Path | None = None):
        self._folder = folder or weights_folder()
        hashes = [sha256_of(file, self._folder) for file in (IMAGE_TOWER, TEXT_TOWER, PIECES)]
        self.fingerprint = hashlib.sha256(" ".join([*hashes, PREPROCESSING]).encode()).hexdigest()

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """Resize a frame to a square, without cropping.

        A centre crop would lose the sides of a wide picture. The tower was trained on photographs
        that were resized in the same way.

        Args:
            frame: RGB, uint8 (H, W, 3).

        Returns:
            uint8 (224, 224, 3).
        """
        from PIL import Image

        size = (SIDE, SIDE)
        image = Image.fromarray(np.ascontiguousarray(frame))
        return np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """Encode prepared frames.

        Args:
            images: uint8 (N, 224, 224, 3).

        Returns:
            Features float32 (N, 384), not normalised.
        """
        batches = [images[i : i + self.batch] for i in range(0, len(images), self.batch)]
        rows = [self._image_tower.run(None, {"images": batch})[0] for batch in batches]
        return np.concatenate([np.zeros((0, self.size), np.float32), *rows])

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        """Encode texts; only the first 46 word pieces of a text are used."""
        pieces = [self._pieces(text) for text in texts]
        rows = np.zeros((len(texts), self.size), np.float32)
        words = [rows[:0]] * len(texts)
        tower = self._text_tower if len(texts) > FEW_TEXTS else self._text_tower_for_few
        for chosen in _of_one_length(pieces):
            ids = np.array([pieces[i] for i in chosen], np.int64)
            found, states = tower.run(["rows", "words"], {"ids": ids})
            rows[chosen] = found
            for i, state in zip(chosen, states, strict=True):
                words[i] = state
        return TextFeatures(rows, tuple(words), tuple(map(self._pieces.overflows, texts)))

    @cached_property
    def _pieces(self) -> WordPieces:
        return WordPieces(load_weights(PIECES, self._folder).decode().splitlines())

    @cached_property
    def _image_tower(self) -> InferenceSession:
        return onnx_session(load_weights(IMAGE_TOWER, self._folder))

    @cached_property
    def _text_tower(self) -> InferenceSession:
        return onnx_session(load_weights(TEXT_TOWER, self._folder))

    @cached_property
    def _text_tower_for_few(self) -> InferenceSession:
        if "_text_tower" in vars(self):
            return self._text_tower
        sha256 = sha256_of(TEXT_TOWER, self._folder)
        return kept_session(sha256, partial(load_weights, TEXT_TOWER, self._folder))


def _of_one_length(pieces: list[list[int]]) -> Iterator[list[int]]:
    """Yield batches of texts of equal length, because padding would change the features."""
    order = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))
    for _, group in groupby(order, key=lambda i: len(pieces[i])):
        alike = list(group)
        yield from (alike[i : i + TEXTS_AT_ONCE] for i in range(0, len(alike), TEXTS_AT_ONCE))

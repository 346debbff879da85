"""A converted open_clip model: image tower and text tower as ONNX, and the tokenizer; no torch.

`convert.py` writes these files once, into the user's data folder:

    record.json      a `Record`, with the hash of each file
    image.onnx       images (N, 3, S, S) to features (N, D); its weights are in image.weights
    text.onnx        tokens (N, T) to features (N, D) and word states (N, T, W); text.weights
    tokenizer.json   the byte-pair encoding, for the library tokenizers
    words.json       the words that are one token each: a sentence of such words needs no library

`rewritten_tower.py` keeps text.onnx beside it in the form that ONNX Runtime loads fastest.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rdmf_cli.encoders.index import file_sha256
from rdmf_cli.encoders.open_clip.rewritten_tower import rewritten_session
from rdmf_cli.folders import towers_root
from rdmf_cli.onnx_runtime import onnx_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from PIL import Image
    from tokenizers import Tokenizer

SCHEMA = "rdmf.towers/2"
RECORD = "record.json"
IMAGE_TOWER, TEXT_TOWER, TOKENIZER = "image.onnx", "text.onnx", "tokenizer.json"
WORDS = "words.json"
NEEDED = ("tokenizers", "ftfy")
"""The packages that the towers need to read a text, in addition to ONNX Runtime."""

SHORTEST, SQUASH = "shortest", "squash"
"""How a picture is resized: its short side to S, then a centre crop; or width and height to S."""

PLAIN_WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")
"""A word of a text in ASCII and lower case, as CLIP's tokenizer splits it."""

logger = logging.getLogger("rdmf")


@dataclass(frozen=True)
class Record:
    """The description of converted towers.

    Attributes:
        size: D, the width of the features.
        context: T, the number of tokens that the text tower reads.
        side: S, the width and height of its pictures in pixels.
        resize: `SHORTEST` or `SQUASH`.
        interpolation: A name of `PIL.Image.Resampling`, in lower case.
        mean, std: The mean and the standard deviation of each colour, within [0, 1].
        start, end: The first and the last token of each text.
        files: The sha256 of each file.
        refused: Why this model cannot be converted; empty if it was converted.
        any_length: Whether the text tower also reads fewer tokens than T.
    """

    size: int
    context: int
    side: int
    resize: str
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    start: int
    end: int
    files: dict[str, str]
    refused: str = ""
    any_length: bool = False


class Towers:
    """The towers of one model, run by ONNX Runtime; each tower is loaded on its first use.

    Args:
        folder: The folder of the files.
        record: The description of the towers.
    """

    def __init__(self, folder: Path, record: Record):
        self._folder = folder
        self._record = record

    @property
    def context(self) -> int:
        """The maximum number of tokens that the text tower reads."""
        return self._record.context

    def prepare(self, picture: Image.Image) -> np.ndarray:
        """Resize and normalise a picture as open_clip does.

        Args:
            picture: RGB.

        Returns:
            float32 (3, S, S).
        """
        return prepared(picture, self._record)

    def image_rows(self, images: np.ndarray) -> np.ndarray:
        """Encode prepared pictures (N, 3, S, S); features float32 (N, D), not normalised."""
        rows: np.ndarray = self._image_tower.run(None, {"images": images})[0]
        return rows

    def text_features(self, texts: list[str]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Encode texts.

        Returns:
            Features float32 (N, D), not normalised, and N arrays of word states (T_n, W).
        """
        tokens, lengths = self.tokens(texts)
        rows = np.zeros((len(texts), self._record.size), np.float32)
        words = [rows] * len(texts)
        for length, chosen in self._of_one_length(lengths):
            given = {"tokens": np.ascontiguousarray(tokens[chosen, :length])}
            rows[chosen], states = self._text_tower.run(["rows", "words"], given)
            for i, state in zip(chosen, states, strict=True):
                words[i] = state[: lengths[i]]
        return rows, words

    def _of_one_length(self, lengths: list[int]) -> Iterator[tuple[int, list[int]]]:
        """Yield the number of tokens to read, and the texts to read together.

        Only texts of equal length are read together, so no text is padded.
        """
        if not self._record.any_length:
            yield self.context, list(range(len(lengths)))
            return
        for length in sorted(set(lengths)):
            yield length, [i for i, known in enumerate(lengths) if known == length]

    def tokens(self, texts: list[str]) -> tuple[np.ndarray, list[int]]:
        """Tokenize texts.

        Returns:
            Tokens int64 (N, T), padded with 0, and the number of tokens of each text.
        """
        tokens = np.zeros((len(texts), self.context), np.int64)
        lengths = []
        for row, text in zip(tokens, texts, strict=True):
            found = self._ids(cleaned(text))
            found = [self._record.start, *found[: self.context - 2], self._record.end]
            row[: len(found)] = found
            # A text that contains the name of the end token ends there.
            lengths.append(found.index(self._record.end) + 1)
        return tokens, lengths

    def _ids(self, text: str) -> list[int]:
        """Return the tokens of a cleaned text, without start and end."""
        if _is_plain(text) and "<" not in text:  # "<" may begin a special token
            known = [self._words.get(word) for word in PLAIN_WORD.findall(text)]
            if None not in known:  # to load the tokenizer takes 100 ms
                return [token for token in known if token is not None]
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def _words(self) -> dict[str, int]:
        words: dict[str, int] = json.loads((self._folder / WORDS).read_text("utf-8"))
        return words

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self._folder / TOKENIZER))

    @cached_property
    def _image_tower(self) -> InferenceSession:
        return onnx_session(str(self._folder / IMAGE_TOWER))

    @cached_property
    def _text_tower(self) -> InferenceSession:
        path = self._folder / TEXT_TOWER
        return rewritten_session(path, self._record.files.get(TEXT_TOWER))


def towers_folder(fingerprint: str) -> Path:
    """Return the folder of the converted towers of a model."""
    return towers_root() / fingerprint[:32]


def find_record(folder: Path) -> Record | None:
    """Read the record of a folder; None: no record, or a file is missing or was changed."""
    try:
        content: dict[str, Any] = json.loads((folder / RECORD).read_text("utf-8"))
        if content.pop("schema") != SCHEMA:
            return None
        record = Record(**content)
        if any(file_sha256(folder / name) != known for name, known in record.files.items()):
            logger.info("%s: a converted tower was changed; it is converted again", folder)
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record


def to_json(record: Record) -> bytes:
    """Return the content of `RECORD`."""
    return json.dumps({"schema": SCHEMA, **asdict(record)}, indent=1).encode()


def prepared(picture: Image.Image, record: Record) -> np.ndarray:
    """Resize and normalise a picture: float32 (3, S, S); see `Record`.

    The arithmetic is the same as in torchvision's Resize, CenterCrop, ToTensor and Normalize on
    pictures of PIL, which open_clip uses; `convert.py` compares the results.
    """
    from PIL import Image

    side = record.side
    method = Image.Resampling[record.interpolation.upper()]
    if record.resize == SQUASH:
        picture = picture.resize((side, side), method)
    else:
        picture = _cropped(_shortest(picture, side, method), side)
    pixels = np.asarray(picture, np.float32) / np.float32(255)
    mean, std = (np.asarray(x, np.float32) for x in (record.mean, record.std))
    return np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1))


def _shortest(picture: Image.Image, side: int, method: Image.Resampling) -> Image.Image:
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    if short == side:
        return picture
    longer = int(side * long / short)
    return picture.resize((side, longer) if width <= height else (longer, side), method)


def _cropped(picture: Image.Image, side: int) -> Image.Image:
    left, top = (round((length - side) / 2.0) for length in picture.size)
    return picture.crop((left, top, left + side, top + side))


def cleaned(text: str) -> str:
    """Repair and lower-case a text as open_clip's tokenizer does."""
    if not _is_plain(text):
        import html

        text = html.unescape(html.unescape(_fix_text()(text)))
    return " ".join(text.split()).lower()


def _is_plain(text: str) -> bool:
    """Check whether a text needs no repair; then ftfy is not imported, which would take 50 ms.

    In printable ASCII, ftfy changes only HTML's entities.
    """
    return text.isascii() and text.isprintable() and "&" not in text


def _fix_text() -> Callable[[str], str]:
    import ftfy

    fix_text: Callable[[str], str] = ftfy.fix_text
    return fix_text

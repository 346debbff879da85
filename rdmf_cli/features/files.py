"""The field's feature files, and the one normalisation that all of rdmf shares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np

from rdmf_cli.archives import Archive, Fault
from rdmf_cli.errors import RdmfError
from rdmf_cli.files import MIB, content_of, write_whole

EPSILON = 1e-5  # added to the norm, as the field's loaders do

VIDEO_KEYS = ("features",)
WORD_KEYS = ("last_hidden_state", "token")  # the second: TVSum's
SENTENCE_KEYS = ("pooler_output", "text")
KEYS = {*VIDEO_KEYS, *WORD_KEYS, *SENTENCE_KEYS}
AGAIN = "extract it again"

MOST_BYTES = 256 * MIB  # of a file, and of its arrays together
MOST_NUMBERS = 64 << 20  # of an array: 36 hours of clips of 2 s, 1,024 columns wide
NPY_MAGIC = b"\x93NUMPY"
NUMBERS = "fiu"


def normalise_rows(rows: np.ndarray) -> np.ndarray:
    """Rows (..., D) divided by (‖row‖ + 1e-5): float32, unit length but for empty rows.

    Streams are normalised one by one, before they are concatenated.
    """
    rows = np.asarray(rows, dtype=np.float32)
    return rows / (np.linalg.norm(rows, axis=-1, keepdims=True) + EPSILON)


def save_video_features(
    folder: Path,
    video_id: str,
    rows: np.ndarray,
    *,
    inputs: Iterable[Path] = (),
    force: bool = False,
) -> Path:
    """Write `<folder>/<video_id>.npz` whole or not at all, making the folder if need be.

    Args:
        folder: Where the file goes.
        video_id: The name of the file, without its suffix.
        rows: Features (L, D), not normalised; written as float16 under the key `features`.
        inputs: Files that are never replaced.
        force: Replace a file that rdmf did not write.

    Returns:
        The path of the file.

    Raises:
        UsageError: A file is there that is an input, or that rdmf did not write.
        RdmfError: The file cannot be written.
    """
    path = folder / f"{video_id}.npz"
    what, todo = "the features", "choose another --out"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RdmfError(f"{what} cannot be written ({error.strerror})", path, todo) from error

    def save(file: BinaryIO) -> None:
        np.savez(file, features=np.asarray(rows, dtype=np.float16))

    return write_whole(path, save, inputs=inputs, force=force, what=what, todo=todo)


def load_video_features(path: Path) -> np.ndarray:
    """Rows (L, D) of a `.npz` (key `features`) or `.npy` file, normalised by row."""
    return normalise_rows(read_rows(path))


def load_text_features(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """The sentence row (D,) and the word states (T, W) of a text file, each normalised.

    The sentence is None where the file has none, as some published ones.
    """
    sentence, words = read_text(path)
    return None if sentence is None else normalise_rows(sentence), normalise_rows(words)


def join_streams(streams: Sequence[np.ndarray]) -> np.ndarray:
    """Streams (L_n, D_n) of one video side by side, float32 (L, ΣD_n).

    Each is normalised by row first; the longer ones are cut to the shortest.
    """
    clips = min(map(len, streams))
    return np.concatenate([normalise_rows(rows[:clips]) for rows in streams], axis=1)


def temporal_endpoints(clips: int) -> np.ndarray:
    """Where each clip starts and ends within its video, float32 (L, 2): [i / L, (i + 1) / L].

    The field appends them to the rows after these were normalised.
    """
    edges = np.arange(clips + 1, dtype=np.float32) / clips
    return np.stack([edges[:-1], edges[1:]], axis=1)


def read_rows(path: Path) -> np.ndarray:
    """Rows (L, D), L ≥ 1, as they are stored: float16, else float32. RdmfError names the file."""
    return _checked(_read_arrays(path).get(VIDEO_KEYS), "rows", path)


def read_text(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """The sentence row (D,) or None, and the word states (T, W), T ≥ 1, as they are stored."""
    file = _read_arrays(path)
    if file.has(SENTENCE_KEYS) and not file.has(WORD_KEYS):
        what = f"holds a sentence ({SENTENCE_KEYS[0]}) but no word states ({WORD_KEYS[0]})"
        raise RdmfError(what, path, f"add {WORD_KEYS[0]}, one row per word piece")
    words = _checked(file.get(WORD_KEYS), "word states", path)
    if not file.has(SENTENCE_KEYS):
        return None, words
    rows = np.atleast_2d(file.get(SENTENCE_KEYS))
    if len(rows) != 1:
        raise RdmfError(f"holds {len(rows)} sentence rows, not one", path, AGAIN)
    return _checked(rows, "the sentence", path)[0], words


def _checked(rows: np.ndarray, what: str, path: Path) -> np.ndarray:
    if rows.ndim != 2:
        found = f"a {rows.dtype} array of shape {rows.shape}"
        raise RdmfError(f"{what}: {found}, not rows", path, AGAIN)
    if rows.dtype != np.float16:
        with np.errstate(over="ignore"):  # what overflows is infinite, and said below
            rows = rows.astype(np.float32)
    if not np.isfinite(rows).all():
        row = int(np.argwhere(~np.isfinite(rows))[0][0])
        raise RdmfError(f"{what}: row {row} holds NaN or infinity", path, AGAIN)
    return rows


@dataclass(frozen=True)
class _Arrays:
    """What a file holds: arrays by key, or one that needs no key (`.npy`)."""

    by_key: dict[str, np.ndarray]
    path: Path

    def has(self, keys: tuple[str, ...]) -> bool:
        return any(key in self.by_key for key in keys)

    def get(self, keys: tuple[str, ...]) -> np.ndarray:
        for key in (*keys, ""):
            if key in self.by_key:
                return self.by_key[key]
        raise RdmfError(f"this feature file has no array named `{keys[0]}`", self.path, AGAIN)


def _read_arrays(path: Path) -> _Arrays:
    """The arrays of a `.npz` or `.npy` file, whichever it is; no sizes it tells of are believed."""

    def fault(reason: str) -> RdmfError:
        return RdmfError(f"this feature file cannot be read ({reason})", path, AGAIN)

    if not path.exists():
        raise RdmfError("there is no such feature file", path, "extract it")
    content = content_of(path, "this feature file", AGAIN, most=MOST_BYTES)
    if content.startswith(NPY_MAGIC):
        return _Arrays({"": _array_in(content, fault)}, path)
    archive, arrays, left = Archive(content, fault), {}, MOST_BYTES
    for name in archive.names:
        key = name.removesuffix(".npy")
        if key in KEYS:
            data = archive.read(name, left)
            left -= len(data)
            arrays[key] = _array_in(data, fault)
    return _Arrays(arrays, path)


def _array_in(content: bytes, fault: Fault) -> np.ndarray:
    """The array of a `.npy` file, without a copy, once its header is found to fit its size."""
    file = BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        shape, by_column, dtype = HEADERS[version](file)
    except Exception as error:  # each damage has its own type
        raise fault(f"its header: {error or type(error).__name__}") from error
    if dtype.kind not in NUMBERS:
        if dtype.hasobject:
            raise fault("it holds pickled objects, which may run code")
        raise fault(f"a {dtype} array of shape {shape}, not rows of numbers")
    count, start = math.prod(shape), file.tell()
    if min(shape, default=0) < 0 or count * dtype.itemsize > len(content) - start:
        told = f"its header tells of {count * dtype.itemsize} bytes of shape {shape}"
        raise fault(f"{told}, it holds {len(content) - start}")
    if count > MOST_NUMBERS:
        raise fault(f"it holds {count} numbers, {MOST_NUMBERS} at most are read")
    if not count:
        raise fault(f"there are none, the array is empty {shape}")
    flat = np.frombuffer(content, dtype, count, start)
    return flat.reshape(shape, order="F" if by_column else "C")


HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_sentences(path: Path) -> np.ndarray:
    """Read rows (N, S), N ≥ 1, of several sentences, as they are stored; RdmfError as above."""
    return _checked(_read_arrays(path).get(SENTENCE_KEYS), "sentences", path)

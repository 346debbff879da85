"""The file layouts of published features, and the normalisation of features."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from rdmf_cli.archives import Archive, MakeError
from rdmf_cli.errors import MissingFileError, RdmfError
from rdmf_cli.files import MIB, content_of, write_whole

EPSILON = 1e-5  # added to the norm, as in moment_detr and projects based on it

VIDEO_KEYS = ("features",)
WORD_KEYS = ("last_hidden_state", "token")  # files of TVSum have the second key
SENTENCE_KEYS = ("pooler_output", "text")
KEYS = {*VIDEO_KEYS, *WORD_KEYS, *SENTENCE_KEYS}
AGAIN = "extract it again"

MOST_BYTES = 256 * MIB  # limit for a file, and for all arrays of a file together
MOST_NUMBERS = 64 << 20  # limit for an array: 36 hours of 2 s clips with 1,024 columns
NPY_MAGIC = b"\x93NUMPY"
NUMBERS = "fiu"
HDF5_MAGIC = b"\x89HDF"
ZIP_MAGIC = b"PK\x03\x04"
TORCH_MEMBER = b"/data.pkl"  # the first member of a file of torch.save
MOST_HEADER = 512  # number of first bytes of the file in which the name of this member stands


BLOCK = 4096  # number of rows that are normalised at once, so that little memory is needed


def normalise_rows(rows: np.ndarray) -> np.ndarray:
    """Normalise rows to unit length: row / (‖row‖ + 1e-5). A row of zeros stays zero.

    Before streams are concatenated, normalise each stream separately.

    Args:
        rows: Features (..., D).

    Returns:
        float32 (..., D).
    """
    rows = np.asarray(rows)
    unit_rows = np.empty(rows.shape, np.float32)
    for start in range(0, len(rows) if rows.ndim > 1 else 1, BLOCK):
        block = slice(start, start + BLOCK) if rows.ndim > 1 else ...
        some = np.asarray(rows[block], dtype=np.float32)
        unit_rows[block] = some / (np.linalg.norm(some, axis=-1, keepdims=True) + EPSILON)
    return unit_rows


def save_video_features(
    folder: Path,
    video_id: str,
    rows: np.ndarray,
    *,
    inputs: Iterable[Path] = (),
    force: bool = False,
    comment: bytes = b"",
) -> Path:
    """Write features to `<folder>/<video_id>.npz`, completely or not at all.

    Args:
        folder: The folder. If it does not exist, it is made.
        video_id: Name of the features file without its suffix.
        rows: Features (L, D), not normalised; written as float16 under the key `features`.
        inputs: Files that are never replaced.
        force: Replace a file that rdmf did not write.
        comment: Comment of the archive; readers of arrays do not see the comment.

    Returns:
        The path of the file.

    Raises:
        UsageError: The file exists and is an input, or rdmf did not write it.
        RdmfError: The file cannot be written.
    """
    path = folder / f"{video_id}.npz"
    what, todo = "the features", "choose another --out"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RdmfError(f"{what} cannot be written ({error.strerror})", path, todo) from error

    archive = BytesIO()
    np.savez(archive, features=np.asarray(rows, dtype=np.float16))
    with zipfile.ZipFile(archive, "a") as opened:
        opened.comment = comment
    content = archive.getvalue()
    return write_whole(path, content, inputs=inputs, force=force, what=what, todo=todo)


def load_video_features(path: Path) -> np.ndarray:
    """Read the features of a video and normalise them.

    Args:
        path: A `.npz` file (key `features`) or a `.npy` file.

    Returns:
        float32 (L, D), rows of unit length.

    Raises:
        RdmfError: The file cannot be read, or holds something else.
    """
    return normalise_rows(read_rows(path))


def load_text_features(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Read the features of a query and normalise them.

    Args:
        path: A `.npz` file (keys `pooler_output` and `last_hidden_state`).

    Returns:
        The sentence (D,) and the word states (T, W), both float32, rows of unit length. The
        sentence is None if the file holds no sentence, as in some published files.

    Raises:
        RdmfError: The file cannot be read, or holds something else.
    """
    sentence, words = read_query(path)
    return None if sentence is None else normalise_rows(sentence), normalise_rows(words)


def join_streams(streams: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate several feature streams of one video (for example CLIP and SlowFast).

    Each stream is normalised first. Longer streams are cut to the length of the shortest stream.

    Args:
        streams: Features (L_n, D_n), one array per stream.

    Returns:
        float32 (min L_n, ΣD_n).
    """
    clips = min(map(len, streams))
    return np.concatenate([normalise_rows(rows[:clips]) for rows in streams], axis=1)


def temporal_endpoints(clips: int) -> np.ndarray:
    """Return the relative start and end of each clip, [i / L, (i + 1) / L].

    moment_detr and projects based on it append these columns to the normalised features.

    Args:
        clips: Number of clips, L.

    Returns:
        float32 (L, 2), in [0, 1].
    """
    edges = np.arange(clips + 1, dtype=np.float32) / clips
    return np.stack([edges[:-1], edges[1:]], axis=1)


def read_rows(path: Path) -> np.ndarray:
    """Read the features of a video as they are stored.

    Args:
        path: A `.npz` file (key `features`) or a `.npy` file.

    Returns:
        (L, D), L ≥ 1; float16 if stored as float16, else float32.

    Raises:
        RdmfError: The file cannot be read, or holds something else.
    """
    return rows_of(_read_arrays(path))


def rows_of(arrays: Arrays) -> np.ndarray:
    """Return the features of a video as they are stored; (1, L, D) becomes (L, D).

    Raises:
        RdmfError: The arrays are something else.
    """
    rows = arrays.get(VIDEO_KEYS)
    return _checked(rows[0] if rows.ndim == 3 and len(rows) == 1 else rows, "rows", arrays.path)


def read_query(path: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Read the features of a query as they are stored.

    Args:
        path: A `.npz` file (keys `pooler_output` and `last_hidden_state`, or one of them), `.npy`
            or `.pt`.

    Returns:
        The sentence (D,) or None, and the word states (T, W), T ≥ 1.

    Raises:
        RdmfError: The file cannot be read, or holds something else.
    """
    return query_of(_read_arrays(path))


def query_of(file: Arrays) -> tuple[np.ndarray | None, np.ndarray]:
    """Return the features of a query as they are stored.

    If a file holds only a sentence, (S,) or (1, S), the sentence is also the only word. If a file
    holds only words, (T, W) or (1, T, W), there is no sentence.

    Raises:
        RdmfError: The arrays are something else.
    """
    path, alone = file.path, file.by_key.get("")
    if alone is not None and alone.ndim == 1:
        file = Arrays({SENTENCE_KEYS[0]: alone}, path)
    if not file.has(SENTENCE_KEYS):
        return None, _words(file.get(WORD_KEYS), path)
    rows = np.atleast_2d(file.get(SENTENCE_KEYS))
    if len(rows) != 1:
        raise RdmfError(f"holds {len(rows)} sentence rows, not one", path, AGAIN)
    sentence = _checked(rows, "the sentence", path)
    words = _words(file.get(WORD_KEYS), path) if file.has(WORD_KEYS) else sentence
    return sentence[0], words


def _words(words: np.ndarray, path: Path) -> np.ndarray:
    one = words.ndim == 3 and len(words) == 1
    return _checked(words[0] if one else words, "word states", path)


def _checked(rows: np.ndarray, what: str, path: Path) -> np.ndarray:
    if rows.ndim != 2:
        found = f"a {rows.dtype} array of shape {rows.shape}"
        raise RdmfError(f"{what}: {found}, but it must have two dimensions", path, AGAIN)
    if rows.dtype != np.float16:
        with np.errstate(over="ignore"):  # an overflow gives infinity, reported below
            rows = rows.astype(np.float32)
    if not np.isfinite(rows).all():
        row = int(np.argwhere(~np.isfinite(rows))[0][0])
        raise RdmfError(f"{what}: row {row} holds NaN or infinity", path, AGAIN)
    return rows


@dataclass(frozen=True)
class Arrays:
    """The arrays of a file, or of an entry of a file.

    Attributes:
        by_key: The arrays by key; an array without a key, as in a `.npy` file, has the key "".
        path: The file, for error messages.
    """

    by_key: dict[str, np.ndarray]
    path: Path

    def has(self, keys: tuple[str, ...]) -> bool:
        """Return whether there is an array under one of these keys."""
        return any(key in self.by_key for key in keys)

    def get(self, keys: tuple[str, ...]) -> np.ndarray:
        """Return the array under the first key that exists, or the array without a key."""
        for key in (*keys, ""):
            if key in self.by_key:
                return self.by_key[key]
        raise RdmfError(f"this feature file has no array named `{keys[0]}`", self.path, AGAIN)


def _read_arrays(path: Path) -> Arrays:
    """Read the arrays of a `.npz`, `.npy` or `.pt` file; the content counts, not the suffix."""
    if not path.exists():
        raise MissingFileError(
            "no such feature file", path, "make it: rdmf extract VIDEO --out FOLDER"
        )
    content = content_of(path, "this feature file", AGAIN, most=MOST_BYTES)
    return arrays_in(content, path)


def arrays_in(content: bytes, path: Path, name: str = "") -> Arrays:
    """Return the arrays in the bytes of a `.npz`, `.npy` or `.pt` file, within the size limits.

    Args:
        content: The bytes.
        path: The file that holds these bytes, for error messages.
        name: The entry in this file, for error messages.

    Raises:
        RdmfError: The bytes are something else, damaged or too large.
    """

    def fault(reason: str) -> RdmfError:
        where = f"this feature file, {name}," if name else "this feature file"
        return RdmfError(f"{where} cannot be read ({reason})", path, AGAIN)

    if content.startswith(NPY_MAGIC):
        return Arrays({"": _array_in(content, fault)}, path)
    if content.startswith(HDF5_MAGIC):
        from rdmf_cli.features.containers import Hdf5

        return Hdf5(path).whole()
    if content.startswith(ZIP_MAGIC) and TORCH_MEMBER in content[:MOST_HEADER]:
        from rdmf_cli.features.tensors import as_arrays, loaded_from

        return as_arrays(loaded_from(content, path), path, name)
    archive, arrays, left = Archive(content, fault), {}, MOST_BYTES
    for name in archive.names:
        key = name.removesuffix(".npy")
        if key in KEYS:
            data = archive.read(name, left)
            left -= len(data)
            arrays[key] = _array_in(data, fault)
    return Arrays(arrays, path)


def _array_in(content: bytes, fault: MakeError) -> np.ndarray:
    """Check the header and size of a `.npy` file, and return its array without a copy."""
    file = BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        shape, by_column, dtype = HEADERS[version](file)
    except Exception as error:  # numpy raises a different type for each kind of damage
        raise fault(f"damaged header: {error or type(error).__name__}") from error
    if dtype.kind not in NUMBERS:
        if dtype.hasobject:
            raise fault("it holds pickled objects, which may run code")
        raise fault(f"an array of {dtype} of shape {shape}, not numbers")
    count, start = math.prod(shape), file.tell()
    if min(shape, default=0) < 0 or count * dtype.itemsize > len(content) - start:
        stated = f"its header states {dtype} of shape {shape}"
        raise fault(f"{stated}, but {len(content) - start} bytes follow")
    if count > MOST_NUMBERS:
        raise fault(f"it holds {count} numbers, the limit is {MOST_NUMBERS}")
    if not count:
        raise fault(f"the array is empty, its shape is {shape}")
    flat = np.frombuffer(content, dtype, count, start)
    return flat.reshape(shape, order="F" if by_column else "C")


HEADERS: dict[tuple[int, int], Callable[[BytesIO], tuple[tuple[int, ...], bool, np.dtype]]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_sentences(path: Path) -> np.ndarray:
    """Read the features of several sentences as they are stored.

    Args:
        path: A `.npz` file (key `pooler_output`) or a `.npy` file.

    Returns:
        (N, S), N ≥ 1, one row per sentence.

    Raises:
        RdmfError: The file cannot be read, or holds something else.
    """
    return _checked(_read_arrays(path).get(SENTENCE_KEYS), "sentences", path)

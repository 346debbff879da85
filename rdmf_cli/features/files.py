"""The field's feature files, and the one normalisation that all of rdmf shares."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from rdmf_cli.errors import RdmfError

EPSILON = 1e-5  # added to the norm, as the field's loaders do


def normalise_rows(rows: np.ndarray) -> np.ndarray:
    """Rows (..., D) divided by (‖row‖ + 1e-5): float32, unit length but for empty rows.

    Streams are normalised one by one, before they are concatenated.
    """
    rows = np.asarray(rows, dtype=np.float32)
    return rows / (np.linalg.norm(rows, axis=-1, keepdims=True) + EPSILON)


def visual_change(rows: np.ndarray) -> np.ndarray:
    """1 − cosine of neighbouring clips: normalised rows (L, D) to (L − 1,), in [0, 2]."""
    return np.clip(1.0 - (rows[1:] * rows[:-1]).sum(-1), 0.0, 2.0)


def save_video_features(folder: Path, video_id: str, rows: np.ndarray) -> Path:
    """Write `<folder>/<video_id>.npz`, key `features`, float16 (L, D), not normalised."""
    path = folder / f"{video_id}.npz"
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            np.savez(file, features=np.asarray(rows, dtype=np.float16))
        os.replace(part, path)
    except OSError as error:
        raise RdmfError(
            f"the features cannot be written ({error.strerror})", path, "choose another --out"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()
    return path


def load_video_features(path: Path) -> np.ndarray:
    """Rows (L, D) of a `.npz` (key `features`) or `.npy` file, normalised by row."""
    return normalise_rows(_read_array(path, "features"))


def load_text_features(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The sentence row (D,) and the word states (T, W) of a `qid<qid>.npz`, each normalised."""
    return (
        normalise_rows(_read_array(path, "pooler_output")),
        normalise_rows(_read_array(path, "last_hidden_state")),
    )


def _read_array(path: Path, key: str) -> np.ndarray:
    try:
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            array = loaded if isinstance(loaded, np.ndarray) else loaded[key]
    except FileNotFoundError as error:
        raise RdmfError("there is no such feature file", path) from error
    except KeyError as error:
        raise RdmfError(f"this feature file has no array named `{key}`", path) from error
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise RdmfError(f"this feature file cannot be read ({error})", path) from error
    return np.asarray(array)

"""Features of the background sentences; presence is measured against these sentences.

The features come from an encoder, which encodes `channels.background.BACKGROUND`, or from a folder
of features.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import BACKGROUND
from rdmf_cli.datasets.feature_folder import TEXT_FOLDERS
from rdmf_cli.encoders.base import Encoder
from rdmf_cli.errors import RdmfError
from rdmf_cli.features.files import SENTENCE_KEYS, normalise_rows, read_sentences

FILE = "background.npz"
MOST_ROWS = 10_000
TODO = f"write {SENTENCE_KEYS[0]} of shape (N, S), or remove the file"

Rows = npt.NDArray[np.float32]


def by_encoder(encoder: Encoder) -> Rows:
    """Encode the background sentences: (N, S), rows of unit length."""
    return normalise_rows(encoder.encode_texts(list(BACKGROUND)).rows)


def in_folder(features: Path, width: int | None = None) -> Rows | None:
    """Read `text/background.npz`, key `pooler_output`.

    Args:
        features: the folder of features.
        width: the number of columns of the sentences to compare with; None: any number.

    Returns:
        (N, S), rows of unit length; None if there is no such file.

    Raises:
        RdmfError: the file is damaged, or its shape does not fit.
    """
    paths = (features / name / FILE for name in TEXT_FOLDERS)
    path = next((path for path in paths if path.is_file()), None)
    return None if path is None else normalise_rows(_read(path, width))


def _read(path: Path, width: int | None) -> np.ndarray:
    try:
        rows = read_sentences(path)
    except RdmfError as error:
        what = f"the background sentences in it cannot be read ({error.what})"
        raise RdmfError(what, path, TODO) from error
    if len(rows) > MOST_ROWS or width not in (None, rows.shape[1]):
        wanted = f"at most {MOST_ROWS} rows of {width or 'any number of'} columns are expected"
        raise RdmfError(f"its sentences have shape {rows.shape}; {wanted}", path, TODO)
    return rows

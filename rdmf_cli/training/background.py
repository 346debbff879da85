"""Sentences that say nothing of any video, as rows: what presence is held against.

An encoder reads `channels.background.BACKGROUND`; a folder of features may hold their rows.
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
TODO = f"write {SENTENCE_KEYS[0]} (N, S), or remove it"

Rows = npt.NDArray[np.float32]


def by_encoder(encoder: Encoder) -> Rows:
    """(N, S) unit rows."""
    return normalise_rows(encoder.encode_texts(list(BACKGROUND)).rows)


def in_folder(features: Path, width: int | None = None) -> Rows | None:
    """(N, S) unit rows of `text/background.npz`, key `pooler_output`; None where there is none.

    width: of the sentences that it is compared with; None: of any
    """
    paths = (features / name / FILE for name in TEXT_FOLDERS)
    path = next((path for path in paths if path.is_file()), None)
    return None if path is None else normalise_rows(_read(path, width))


def _read(path: Path, width: int | None) -> np.ndarray:
    try:
        rows = read_sentences(path)
    except RdmfError as error:
        what = f"no rows of background sentences can be read from it ({error.what})"
        raise RdmfError(what, path, TODO) from error
    if len(rows) > MOST_ROWS or width not in (None, rows.shape[1]):
        what = f"background sentences of shape {rows.shape}"
        wanted = f"{MOST_ROWS} of {width or 'any'} columns at most"
        raise RdmfError(f"{what}, not {wanted}", path, TODO)
    return rows

"""Features in files of torch (`.pt`): tensors and dictionaries of tensors, no pickled objects."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from rdmf_cli.errors import MissingExtra, RdmfError
from rdmf_cli.features.files import AGAIN, KEYS, MOST_BYTES, MOST_NUMBERS, Arrays
from rdmf_cli.files import MIB, content_of

MOST_FILE = 4096 * MIB  # limit in bytes for a file of many features, packed or unpacked
SAFE = "save tensors, or dictionaries of tensors, with torch.save"


def loaded(path: Path) -> Any:
    """Load a file with `weights_only`, so that no code in the file runs.

    Raises:
        MissingExtra: torch is not installed.
        RdmfError: The file is missing, damaged, too large, or holds other objects.
    """
    return loaded_from(content_of(path, "this feature file", AGAIN, most=MOST_FILE), path)


def loaded_from(content: bytes, path: Path) -> Any:
    """Load a file from its bytes; see `loaded`."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("a feature file of torch (.pt)", "train") from error
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_FILE:
                raise ValueError("its unpacked size is too large")
        return torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # each kind of damage has its own type of error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RdmfError(f"this feature file cannot be loaded ({reason})", path, SAFE) from error


def as_arrays(value: Any, path: Path, name: str = "") -> Arrays:
    """Return the arrays in a tensor, or in a dictionary of tensors.

    Raises:
        RdmfError: The value is something else, or too large.
    """
    if isinstance(value, Mapping):
        tensors = {key: x for key, x in value.items() if key in KEYS}
    else:
        tensors = {"": value}
    arrays = {key: _array(x, path, name) for key, x in tensors.items()}
    if sum(array.nbytes for array in arrays.values()) > MOST_BYTES:
        raise RdmfError(f"{name} holds more than {MOST_BYTES} bytes", path, AGAIN)
    return Arrays(arrays, path)


def _array(tensor: Any, path: Path, name: str) -> np.ndarray:
    import torch

    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
        raise RdmfError(f"{name or 'it'} holds no tensor of numbers", path, SAFE)
    if not 0 < tensor.numel() <= MOST_NUMBERS or tensor.is_complex():
        what = f"{name or 'it'} holds a tensor of shape {tuple(tensor.shape)}, not features"
        raise RdmfError(what, path, AGAIN)
    plain = tensor.detach()
    array: np.ndarray = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    return array

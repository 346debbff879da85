"""The origin of a head: versions, machine, command, and a hash of the data. Imports torch."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import torch

from rdmf_cli.files import unreadable

PACKAGES: Final = ("torch", "numpy", "onnx", "onnxscript")
WHOLE: Final = frozenset((".npz", ".npy", ".pt", ".pth", ".h5", ".hdf5", ".tar", ".mdb"))
"""Suffixes of feature files. Feature files are hashed as a whole; of a video, only its size."""
BLOCK: Final = 1 << 20  # bytes per read


def record_of(config: dict[str, Any], data: str, device: str) -> dict[str, Any]:
    """Describe a run; the head of the run keeps this description.

    Args:
        config: every choice of the run, by table and name.
        data: hash of the data of the run, see `data_hash`.
        device: the device of the training.

    Returns:
        JSON values without a date, a user name or a machine name: the same command on the same
        machine gives the same bytes.
    """
    return {
        "command": command(),
        "config": config,
        "data": data,
        "versions": {
            "rdmf": import_module("rdmf_cli").__version__,
            "python": platform.python_version(),
            **_versions(),
        },
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "device": _device(device),
        },
    }


def command() -> str:
    """Return the command line of this process in the form that a user types."""
    program = Path(sys.argv[0]).name if sys.argv else ""
    program = "rdmf" if program in ("__main__.py", "rdmf", "rdmf.exe") else program
    return shlex.join([program, *sys.argv[1:]])


def data_hash(annotations: Iterable[Path], features: Iterable[Path]) -> str:
    """Hash the files that a run learns from.

    Args:
        annotations: annotation files.
        features: feature files in any order, hashed with their names and contents; of a video, the
            name and the size are hashed.

    Returns:
        SHA-256, 64 hexadecimal digits.

    Raises:
        RdmfError: a file cannot be read.
    """
    parts = [f"annotations {_content(path)}" for path in annotations]
    parts += sorted({f"{path.name} {_digest(path)}" for path in features})
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _digest(path: Path) -> str:
    if path.suffix.lower() in WHOLE:
        return _content(path)
    return f"{path.stat().st_size} bytes"


def _content(path: Path) -> str:
    made = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                made.update(block)
    except OSError as error:
        raise unreadable(path, error, "this file", "check it") from error
    return made.hexdigest()


def _versions() -> dict[str, str | None]:
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device(name: str) -> str:
    if name.startswith("cuda"):
        return f"{name} ({torch.cuda.get_device_name(name)})"
    return name

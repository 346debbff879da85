"""The text tower in the form to which ONNX Runtime rewrites it, kept in the user's data folder.

ONNX Runtime turns the weights of the shipped tower (8 and 16 bits) into float32 and joins
operations before the first run. This takes longer than to encode a sentence. The rewritten tower
computes the same bits and loads in a third of the time. It depends on the version of ONNX Runtime
and on the kind of processor, so both are part of the name of its folder. When a new one is
written, those of other versions are removed.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rdmf_cli.encoders.index import file_sha256, hash_stream
from rdmf_cli.files import write_own
from rdmf_cli.folders import towers_root
from rdmf_cli.onnx_runtime import onnx_session, runtime_key

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

PREFIX = "embedded-"
LEFT_OVER_SECONDS = 86_400.0  # no process still writes to an unfinished folder of this age
GRAPH, WEIGHTS, SUMS = "text.onnx", "text.weights", "sha256.json"


def kept_session(sha256: str, load: Callable[[], bytes]) -> InferenceSession:
    """Load a tower for one thread of the CPU, and keep its rewritten form for the next time.

    Args:
        sha256: The hash of the tower.
        load: Reads the tower, if its rewritten form is not kept.
    """
    folder = kept_folder(sha256)
    if _is_whole(folder):
        with suppress(Exception):  # errors of ONNX Runtime have no common base
            return onnx_session(str(folder / GRAPH), rewritten=True, threads=1)
    content = load()
    with suppress(Exception):  # the folder cannot be written, or the disk is full
        return _made(content, folder)
    return onnx_session(content, threads=1)


def kept_folder(sha256: str) -> Path:
    """Return the folder for the rewritten form of a tower."""
    return towers_root() / f"{PREFIX}{runtime_key(sha256)[:32]}"


def _is_whole(folder: Path) -> bool:
    try:
        sums: dict[str, str] = json.loads((folder / SUMS).read_text("utf-8"))
        return all(file_sha256(folder / name) == sums[name] for name in (GRAPH, WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _made(content: bytes, folder: Path) -> InferenceSession:
    """Load a tower, and put its rewritten form and the hashes into its folder."""
    work = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        work.mkdir(parents=True)
        session = onnx_session(
            content, write_to=str(work / GRAPH), write_weights_to=WEIGHTS, threads=1
        )
        sums = {name: hash_stream(work / name).hexdigest() for name in (GRAPH, WEIGHTS)}
        write_own(work / SUMS, json.dumps(sums).encode())
        with suppress(OSError):  # another process keeps the same tower at the same time
            shutil.rmtree(folder, ignore_errors=True)
            work.replace(folder)
            _remove_stale(folder)
        return session
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _remove_stale(kept: Path) -> None:
    """Remove the towers of other versions of ONNX Runtime or rdmf, and unfinished old folders."""
    for folder in kept.parent.glob(f"{PREFIX}*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in kept.parent.glob(f".{PREFIX}*"):
        with suppress(OSError):  # its process has ended it meanwhile
            if time.time() - folder.stat().st_mtime > LEFT_OVER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

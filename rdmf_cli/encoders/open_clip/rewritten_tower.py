"""A text tower in the form to which ONNX Runtime rewrites it before a run, kept beside the tower.

ONNX Runtime computes constants and joins operations of a graph; for one sentence this takes longer
than the answer. A rewritten graph computes the same bits, and loads in half the time. Its weights
stay in the file of the tower. A rewritten graph fits only one version of ONNX Runtime and one kind
of processor, so both are part of the file's name; its hash is also part of the name.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rdmf_cli.encoders.index import hash_stream
from rdmf_cli.onnx_runtime import onnx_session, runtime_key

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

DIGITS = 16  # of each hash in the name


def rewritten_session(tower: Path, sha256: str | None) -> InferenceSession:
    """Load a tower, and keep its rewritten form for the next time.

    Args:
        tower: The file of the graph.
        sha256: Its hash; None: neither the tower nor its rewritten form is stored.
    """
    # For one sentence, a rearrangement of weights for the processor takes longer than it saves.
    if sha256 is None:
        return onnx_session(str(tower), mapped=True)
    key = runtime_key(sha256)[:DIGITS]
    if kept := _kept(tower, key):
        with suppress(Exception):  # errors of ONNX Runtime have no common base
            return onnx_session(str(kept), mapped=True, rewritten=True)
    made = tower.with_name(f".{tower.stem}.{os.getpid()}.onnx")
    try:
        session = onnx_session(str(tower), mapped=True, write_to=str(made))
        _keep(made, tower, key)
        return session
    except Exception:  # the folder cannot be written, or the disk is full
        return onnx_session(str(tower), mapped=True)
    finally:
        with suppress(OSError):
            made.unlink(missing_ok=True)


def _kept(tower: Path, key: str) -> Path | None:
    """Find the rewritten form of a tower; None: there is none, or its content has changed."""
    for path in tower.parent.glob(f"{tower.stem}.{key}-*.onnx"):
        if path.stem.endswith(f"-{_digits(path)}"):
            return path
    return None


def _keep(made: Path, tower: Path, key: str) -> None:
    """Store a rewritten form, and remove the forms of other versions."""
    target = tower.with_name(f"{tower.stem}.{key}-{_digits(made)}.onnx")
    for old in tower.parent.glob(f"{tower.stem}.*-*.onnx"):
        if old != target:
            with suppress(OSError):  # another process may have it open
                old.unlink()
    made.replace(target)


def _digits(path: Path) -> str:
    return hash_stream(path).hexdigest()[:DIGITS]

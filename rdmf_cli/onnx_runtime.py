"""Sessions of ONNX Runtime; the first session imports the library."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rdmf_cli.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MOST_THREADS = 1024


def onnx_session(model: bytes | str, *, mapped: bool = False) -> InferenceSession:
    """Load a graph for the CPU.

    Args:
        model: The content of a file, or the path of a file. Beside a file with a path there may be
            a second file with its weights.
        mapped: Leave the weights of the second file in the mapped file. Loading is faster and takes
            less memory; long runs are slower, because the weights are not arranged for the
            processor.

    Raises:
        UsageError: RDMF_THREADS is not a number of threads.
    """
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 3
    if mapped:
        options.add_session_config_entry("session.disable_prepacking", "1")
    return InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _threads() -> int:
    """Return RDMF_THREADS, or 0 if it is not set; with 0, ONNX Runtime chooses."""
    given = os.environ.get("RDMF_THREADS") or "0"
    if not given.isdecimal() or int(given) > MOST_THREADS:
        what = f"must be a whole number up to {MOST_THREADS}, not {given!r}"
        raise UsageError(what, "RDMF_THREADS", "correct it, or unset it")
    return int(given)

"""Sessions of ONNX Runtime; the first session imports the library."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rdmf_cli.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MOST_THREADS = 1024


def onnx_session(
    model: bytes | str,
    *,
    mapped: bool = False,
    rewritten: bool = False,
    write_to: str = "",
    write_weights_to: str = "",
    threads: int | None = None,
) -> InferenceSession:
    """Load a graph for the CPU.

    Args:
        model: The content of a file, or the path of a file. If a path is given, the weights may be
            in a second file beside this file.
        mapped: Whether the weights of the second file stay in the memory-mapped file. Loading is
            faster and takes less memory; long runs are slower, because the weights are not arranged
            for the processor.
        rewritten: The graph was rewritten and written by an earlier session: it is loaded as it is.
        write_to: Write the rewritten graph to this file. It fits any processor of this kind, and
            takes its weights from the same second file; "": write nothing.
        write_weights_to: Name of a second file for the weights of the graph that is written, beside
            it; "": they stay where they are.
        threads: Number of threads; None: RDMF_THREADS, or the choice of ONNX Runtime.

    Raises:
        UsageError: RDMF_THREADS is not a number of threads.
    """
    from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

    options = SessionOptions()
    chosen = _threads()  # also checks the variable
    options.intra_op_num_threads = chosen if threads is None else threads
    options.log_severity_level = 3
    if rewritten:
        options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    if write_to:  # the next level after EXTENDED would depend on the model of the processor
        options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = write_to
    if write_weights_to:
        entry = "session.optimized_model_external_initializers"
        options.add_session_config_entry(f"{entry}_file_name", write_weights_to)
        options.add_session_config_entry(f"{entry}_min_size_in_bytes", "1024")
    if mapped:
        options.add_session_config_entry("session.disable_prepacking", "1")
    return InferenceSession(model, options, providers=["CPUExecutionProvider"])


def runtime_key(sha256: str) -> str:
    """Return a key of everything on which the rewritten form of a graph depends.

    Args:
        sha256: The hash of the graph.
    """
    import hashlib
    import platform

    import onnxruntime

    parts = [sha256, onnxruntime.__version__, platform.machine()]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _threads() -> int:
    """Return RDMF_THREADS, or 0 if it is not set; with 0, ONNX Runtime chooses."""
    given = os.environ.get("RDMF_THREADS") or "0"
    if not given.isdecimal() or int(given) > MOST_THREADS:
        what = f"must be a whole number up to {MOST_THREADS}, not {given!r}"
        raise UsageError(what, "RDMF_THREADS", "correct it, or unset it")
    return int(given)

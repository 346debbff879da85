"""ONNX graphs in the cache, in the form to which ONNX Runtime rewrites a graph before a run.

To rewrite a graph, ONNX Runtime computes constants and joins operations. This takes longer than an
answer. A rewritten graph computes the same bits as the original graph, and loads in a third of the
time.
"""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rdmf_cli.children import scratch_folder
from rdmf_cli.errors import RdmfError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from rdmf_cli.features.store import FeatureStore


def small_session(content: bytes, store: FeatureStore | None = None) -> InferenceSession:
    """Load a small graph for one thread of the CPU.

    Args:
        content: The graph, an ONNX model.
        store: The cache for the rewritten graph; None: the graph is rewritten each time.
    """
    if store is None:
        return _session(content)
    graphs, key = store.graphs, _key(content)
    if loaded := graphs.load(key):
        with suppress(Exception):  # errors of ONNX Runtime have no common base
            return _session(loaded[0]["graph"].tobytes(), is_rewritten=True)
    with suppress(Exception), scratch_folder() as folder:  # the disk may be full
        path = Path(folder, "graph.onnx")
        session = _session(content, rewritten=path)
        rewritten = np.frombuffer(path.read_bytes(), np.uint8)
        with suppress(RdmfError):  # the code that keeps features reports this error
            graphs.put(key, np.zeros((0, 0), np.float16), {}, {"graph": rewritten})
        return session
    return _session(content)


def _key(content: bytes) -> dict[str, Any]:
    """Return a cache key of everything on which a rewritten graph depends."""
    import onnxruntime

    return {
        "graph": hashlib.sha256(content).hexdigest(),
        "onnxruntime": onnxruntime.__version__,
        "machine": platform.machine(),
    }


def _session(
    content: bytes, *, is_rewritten: bool = False, rewritten: Path | None = None
) -> InferenceSession:
    from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = 1  # the graphs are small: more threads are slower
    options.log_severity_level = 3
    # The next level after EXTENDED would depend on the model of the processor.
    level = GraphOptimizationLevel
    options.graph_optimization_level = (
        level.ORT_DISABLE_ALL if is_rewritten else level.ORT_ENABLE_EXTENDED
    )
    if rewritten is not None:
        options.optimized_model_filepath = str(rewritten)
    return InferenceSession(content, options, providers=["CPUExecutionProvider"])

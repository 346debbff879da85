"""The file of an exported head: a zip archive of a configuration and ONNX graphs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from rdmf_cli.archives import Archive
from rdmf_cli.errors import RdmfError
from rdmf_cli.files import MIB
from rdmf_cli.heads.learned.config import read_config
from rdmf_cli.heads.learned.external_data import has_external_data
from rdmf_cli.heads.learned.rewritten import small_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from rdmf_cli.features.store import FeatureStore

SCHEMA: Final = "rdmf.head/1"

CONFIG = "config.json"

TRAINED = "model"  # the folder within a run folder where `rdmf train` writes the head

COPY_AGAIN = "export it again, or copy the file again"

EXPORT = "export it again with this version of rdmf"

MOST_PART: Final = 64 * MIB  # limit in bytes for a graph after decompression

TORCH_MEMBER = b"/data.pkl"  # the first member of a file of torch.save
HEADER_BYTES = 1024  # where the name of the first member is

OUTPUTS = {
    "fuse": ("features", "pattern", "saliency", "presence", "curves"),
    "decode": ("spans", "scores"),
    "match": ("match",),
}
"""Names of the outputs of each graph."""

CHECKPOINTS = (
    f"give a file of rates, an exported head, or the folder {TRAINED} that `rdmf train` wrote"
)


def graph_file(name: str) -> str:
    """Return the name of a graph's file within the archive."""
    return f"{name}.onnx"


class OnnxGraphs:
    """The graphs of an exported head. ONNX Runtime loads each graph when it is first needed.

    Args:
        content: bytes of a file that `export.export` wrote.
        path: the name of the file in error messages.
        store: the cache for the graphs, in the form to which ONNX Runtime rewrites them; None: no
            cache.

    Raises:
        RdmfError: the bytes are not such a file.
    """

    def __init__(self, content: bytes, path: Path | str, store: FeatureStore | None = None):
        self._path = path
        self._store = store
        self._files = self._unpacked(content)
        self.config = read_config(self._files[CONFIG], SCHEMA, path, COPY_AGAIN, EXPORT)
        self._sessions: dict[str, InferenceSession] = {}

    def _unpacked(self, content: bytes) -> dict[str, bytes]:
        if TORCH_MEMBER in content[:HEADER_BYTES]:
            what = "this file holds torch weights alone, without the configuration of a head"
            raise RdmfError(what, self._path, CHECKPOINTS)
        archive = Archive(content, self._damaged)
        if CONFIG not in archive.names:
            what = f"this archive is not a head: it holds no {CONFIG}"
            raise RdmfError(what, self._path, CHECKPOINTS)
        if foreign := {*archive.names} - {CONFIG, *map(graph_file, OUTPUTS)}:
            what = f"this archive holds {sorted(foreign)[0]}, which does not belong to a head"
            raise RdmfError(what, self._path, COPY_AGAIN)
        return {name: archive.read(name, MOST_PART) for name in archive.names}

    def _damaged(self, reason: str) -> RdmfError:
        return RdmfError(f"this head is damaged ({reason})", self._path, COPY_AGAIN)

    @property
    def takes_many(self) -> bool:
        """Whether a run takes several videos; heads of older exports take one."""
        return bool(self._session("fuse").get_inputs()[0].shape[0] != 1)

    def run(self, graph: str, **inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a graph on B videos of one length; see `windows.Graphs.run`.

        Args:
            graph: "fuse", "decode" or "match".
            **inputs: arrays (B, ...) by name; arrays that the graph does not read are ignored.

        Returns:
            The outputs (B, ...), in the order of `OUTPUTS`.

        Raises:
            RdmfError: the graph is missing or damaged, or it takes other inputs.
        """
        session = self._session(graph)
        wanted = {x.name for x in session.get_inputs()}
        if not wanted <= {*inputs}:
            raise self._another_graph(graph)
        try:
            made = tuple(session.run(None, {name: inputs[name] for name in wanted}))
        except Exception as error:  # errors of ONNX Runtime have no common base
            raise self._another_graph(graph) from error
        return made

    def _another_graph(self, graph: str) -> RdmfError:
        what = f"its graph {graph_file(graph)} does not fit its {CONFIG}"
        return RdmfError(what, self._path, COPY_AGAIN)

    def _require_whole(self, graph: str, content: bytes) -> None:
        """Raise RdmfError if a graph takes tensors from other files, or if it is not a graph."""
        if b"location" not in content:  # the key for a tensor's other file
            return
        try:
            external = has_external_data(content)
        except ValueError as error:
            raise self._not_loaded(graph) from error
        if external:
            what = (
                f"its graph {graph_file(graph)} keeps tensors in other files (ONNX external data)"
            )
            raise RdmfError(what, self._path, "export it with all tensors inside the graph")

    def _not_loaded(self, graph: str) -> RdmfError:
        return RdmfError(f"its graph {graph_file(graph)} cannot be loaded", self._path, COPY_AGAIN)

    def _session(self, graph: str) -> InferenceSession:
        if graph not in self._sessions:
            self._sessions[graph] = self._loaded(graph)
        return self._sessions[graph]

    def _loaded(self, graph: str) -> InferenceSession:
        content = self._files.get(graph_file(graph), b"")
        self._require_whole(graph, content)
        try:
            session = small_session(content, self._store)
        except Exception as error:  # errors of ONNX Runtime have no common base
            raise self._not_loaded(graph) from error
        if [x.name for x in session.get_outputs()] != [*OUTPUTS[graph]]:
            raise self._another_graph(graph)
        return session

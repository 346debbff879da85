"""The file of an exported head: a configuration and ONNX graphs, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from rdmf_cli.archives import Archive
from rdmf_cli.errors import RdmfError
from rdmf_cli.files import MIB
from rdmf_cli.heads.learned.config import read_config
from rdmf_cli.heads.learned.external_data import has_external_data

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SCHEMA: Final = "rdmf.head/1"

CONFIG = "config.json"

TRAINED = "model"  # the folder in its own where `rdmf train` leaves the head

ANEW = "export it again, or copy the file again"

EXPORT = "export it again with this version of rdmf"

MOST_PART: Final = 64 * MIB  # bytes of a graph, unpacked

TORCH_MEMBER = "/data.pkl"

OUTPUTS = {
    "fuse": ("features", "pattern", "saliency", "presence", "curves"),
    "decode": ("spans", "scores"),
    "match": ("match",),
}
"""What the parts of a head give, by their names."""

CHECKPOINTS = f"give rates, an exported head, or the folder {TRAINED} of `rdmf train`"


def graph_file(name: str) -> str:
    """What a part of the network is called within the file of a head."""
    return f"{name}.onnx"


class OnnxGraphs:
    """The parts of an exported network, run by ONNX Runtime; each is loaded when first needed.

    content: of a file that `export.export` wrote; path: what errors name
    Raises RdmfError where it is no such file.
    """

    def __init__(self, content: bytes, path: Path | str):
        self._path = path
        self._files = self._unpacked(content)
        self.config = read_config(self._files[CONFIG], SCHEMA, path, ANEW, EXPORT)
        self._sessions: dict[str, InferenceSession] = {}

    def _unpacked(self, content: bytes) -> dict[str, bytes]:
        archive = Archive(content, self._damaged)
        if CONFIG not in archive.names:
            if any(name.endswith(TORCH_MEMBER) for name in archive.names):
                what = "these are torch's weights of a training, which tell no form of a head"
                raise RdmfError(what, self._path, CHECKPOINTS)
            raise RdmfError(f"this archive holds no {CONFIG}, so no head", self._path, CHECKPOINTS)
        if foreign := {*archive.names} - {CONFIG, *map(graph_file, OUTPUTS)}:
            what = f"this archive holds {sorted(foreign)[0]}, which is no part of a head"
            raise RdmfError(what, self._path, ANEW)
        return {name: archive.read(name, MOST_PART) for name in archive.names}

    def _damaged(self, reason: str) -> RdmfError:
        return RdmfError(f"this file of a head is damaged ({reason})", self._path, ANEW)

    def run(self, graph: str, **inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        session = self._session(graph)
        wanted = {x.name for x in session.get_inputs()}
        if not wanted <= {*inputs}:
            raise self._another_graph(graph)
        try:
            made = tuple(session.run(None, {name: inputs[name] for name in wanted}))
        except Exception as error:  # ONNX Runtime's own, which share no base
            raise self._another_graph(graph) from error
        return made

    def _another_graph(self, graph: str) -> RdmfError:
        what = f"its part {graph_file(graph)} is not what its {CONFIG} describes"
        return RdmfError(what, self._path, ANEW)

    def _require_whole(self, graph: str, content: bytes) -> None:
        """Raise RdmfError where a graph takes tensors from other files, or is none."""
        try:
            external = has_external_data(content)
        except ValueError as error:
            raise self._not_loaded(graph) from error
        if external:
            what = f"its part {graph_file(graph)} keeps tensors in other files (ONNX external data)"
            raise RdmfError(what, self._path, "export it with all of its tensors inside")

    def _not_loaded(self, graph: str) -> RdmfError:
        return RdmfError(f"its part {graph_file(graph)} cannot be loaded", self._path, ANEW)

    def _session(self, graph: str) -> InferenceSession:
        if graph not in self._sessions:
            self._sessions[graph] = self._loaded(graph)
        return self._sessions[graph]

    def _loaded(self, graph: str) -> InferenceSession:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = 1  # it is small: threads would cost more than they bring
        options.log_severity_level = 3
        content = self._files.get(graph_file(graph), b"")
        self._require_whole(graph, content)
        try:
            session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own, which share no base
            raise self._not_loaded(graph) from error
        if [x.name for x in session.get_outputs()] != [*OUTPUTS[graph]]:
            raise self._another_graph(graph)
        return session

"""Read the weights of an exported head back into a network, to train the network further.

The exporter keeps the names of most parameters in the graphs. But a matrix is stored transposed, as
"onnx::MatMul_…"; the node that uses the matrix has the name of the module. Importing this module
imports torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from rdmf_cli.archives import Archive
from rdmf_cli.errors import RdmfError
from rdmf_cli.files import content_of
from rdmf_cli.heads.learned.archive import (
    CONFIG,
    COPY_AGAIN,
    EXPORT,
    MOST_PART,
    OUTPUTS,
    SCHEMA,
    graph_file,
)
from rdmf_cli.heads.learned.config import read_config
from rdmf_cli.heads.learned.external_data import has_external_data
from rdmf_cli.heads.learned.head import MOST_HEAD, SHIPPED
from rdmf_cli.heads.learned.torch.checkpoint import find, load
from rdmf_cli.heads.learned.torch.network import Network
from rdmf_cli.resources import load_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_SHIPPED: Final = "shipped"
FOLDER = "give the folder of the run that this head was exported from"


def load_network(name: str) -> Network:
    """Load a network to train further.

    Args:
        name: "shipped", the folder of a run, a checkpoint, or the file of an exported head.

    Returns:
        The network, in evaluation mode on the CPU.

    Raises:
        RdmfError: the head is missing or damaged, or the weights cannot be read from its graphs.
    """
    if name == OF_SHIPPED:
        return restored(load_weights(SHIPPED), SHIPPED)
    path = Path(name)
    if path.is_dir():
        return load(find(path))
    todo = f"give {OF_SHIPPED}, the folder of a run, or an exported head"
    return restored(content_of(path, "the head", todo, most=MOST_HEAD), path)


def restored(content: bytes, path: Path | str) -> Network:
    """Read the network from the bytes of an exported head.

    Args:
        content: bytes of a file that `export.export` wrote.
        path: the name of the file in error messages.

    Raises:
        RdmfError: the bytes are not such a file, or weights are missing.
    """

    def fault(reason: str) -> RdmfError:
        return RdmfError(f"this head is damaged ({reason})", path, COPY_AGAIN)

    archive = Archive(content, fault)
    if CONFIG not in archive.names:
        raise RdmfError(f"this archive is not a head: it holds no {CONFIG}", path, COPY_AGAIN)
    config = read_config(archive.read(CONFIG, MOST_PART), SCHEMA, path, COPY_AGAIN, EXPORT)
    network = Network(config)
    wanted = network.state_dict()
    found: dict[str, Tensor] = {}
    for graph in OUTPUTS:
        if graph_file(graph) in archive.names:
            found.update(_tensors(archive.read(graph_file(graph), MOST_PART), fault))
    weights = {name: _as(found.get(name), like) for name, like in wanted.items()}
    if lost := [name for name, tensor in weights.items() if tensor is None]:
        what = f"its graphs do not hold {len(lost)} of the weights, such as {lost[0]}"
        raise RdmfError(what, path, FOLDER)
    network.load_state_dict(weights)
    network.eval()
    return network


def _as(found: Tensor | None, like: Tensor) -> Tensor | None:
    return found if found is not None and found.shape == like.shape else None


def _tensors(content: bytes, fault: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters of a graph by their names in the network."""
    import onnx
    from onnx.numpy_helper import to_array

    if has_external_data(content):
        raise fault("a graph has tensors in other files")
    try:
        graph = onnx.load_from_string(content).graph
    except Exception as error:  # errors of protobuf
        raise fault("a graph cannot be loaded") from error
    known = {one.name: one for one in graph.initializer}
    for name, one in known.items():
        if name.startswith(PREFIX):
            yield name.removeprefix(PREFIX), torch.from_numpy(to_array(one).copy())
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in known:
            matrix = torch.from_numpy(to_array(known[node.input[1]]).copy())
            yield f"{_module(node.name)}.weight", matrix.T.contiguous()


PREFIX = "network."  # prefix of all names of the network in the exported graphs


def _module(node: str) -> str:
    """Return the path of a node's module.

    >>> _module("/blocks.0/fusion/feed/MatMul")
    'blocks.0.fusion.feed'
    """
    scopes = node.strip("/").split("/")[:-1]
    path: list[str] = []
    for scope in scopes:  # a member of a list repeats its list's name: /blocks.0 or /embed/embed.0
        path = path[:-1] if path and scope.startswith(f"{path[-1]}.") else path
        path.append(scope)
    return ".".join(path).removeprefix(PREFIX)

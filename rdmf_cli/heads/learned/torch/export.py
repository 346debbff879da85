"""Export a trained head as ONNX graphs, which run without torch. This module imports torch.

The network is exported in two parts, `fuse` and `decode`, because numpy chooses the slots between
them. A full head has a third part, `match`, which runs first. `match` must see the whole video;
`fuse` and `decode` take it window by window.
"""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.onnx import symbolic_helper

from rdmf_cli.errors import RdmfError
from rdmf_cli.files import check_target, write_whole
from rdmf_cli.heads.learned.archive import CONFIG, SCHEMA, graph_file
from rdmf_cli.heads.learned.config import SCALES, ModelConfig
from rdmf_cli.heads.learned.torch.batch import Batch
from rdmf_cli.heads.learned.torch.decoder import Decoded
from rdmf_cli.heads.learned.torch.fusions import Fusion
from rdmf_cli.heads.learned.torch.metric import Metric, Metrics
from rdmf_cli.heads.learned.torch.network import Network

OPSET = 17

VIDEOS, CLIPS, PAIRS, WORDS, SLOTS = "videos", "clips", "pairs", "words", "slots"
AXES = {
    "channels": {1: CLIPS},
    "edges": {1: PAIRS},
    "match": {1: CLIPS},
    "video": {1: CLIPS},
    "words": {1: WORDS},
    "features": {1: CLIPS},
    "pattern": {2: CLIPS},
    "saliency": {1: CLIPS},
    "curves": {1: CLIPS},
    "slots": {1: SLOTS},
    "slot_mask": {1: SLOTS},
    "spans": {1: SLOTS},
    "scores": {1: SLOTS},
}
"""Axes of the graphs' inputs and outputs that may have any length, by name, besides `VIDEOS`."""

EXAMPLES = {"clip_length": 2.0, "slot_mask": 1.0}
"""Inputs of the example that are not 0, and their values."""

EXAMPLE = {VIDEOS: 2, CLIPS: 20, PAIRS: 19, WORDS: 5, SLOTS: 3}
"""Lengths of the axes in the example for the trace of the network; these axes stay dynamic."""

FIXED_STRETCH = ("gaussian", "convolution", "gated-recurrence")
"""Fusions whose kernels have a length that an exported graph would fix."""

LAST = 2**62  # end of a slice that takes everything


def export(
    network: Network,
    path: Path | str,
    about: Mapping[str, Any] | None = None,
    *,
    force: bool = False,
) -> Path:
    """Write a head that `LearnedHead.load` reads.

    Args:
        network: the trained network.
        path: the file to write.
        about: facts about the head for the user (data set, scores), as JSON values.
        force: replace a file that rdmf did not write.

    Raises:
        UsageError: the file exists, and rdmf did not write it.
        RdmfError: the file cannot be written.
    """
    what, todo = "the head", "choose another file"
    check_target(path, force=force, what=what)
    return write_whole(path, exported(network, about), force=force, what=what, todo=todo)


def exported(network: Network, about: Mapping[str, Any] | None = None) -> bytes:
    """Return the bytes of an exported head. The same weights give the same bytes."""
    _check_exportable(network.config)
    network = _prepared(network)
    config = {
        "schema": SCHEMA,
        "config": network.config.model_dump(mode="json"),
        "about": dict(about or {}),
    }
    files = {CONFIG: (json.dumps(config, indent=1) + "\n").encode()}
    graphs = graphs_of(network)
    files |= {graph_file(name): _onnx(graph, network.config) for name, graph in graphs.items()}
    return _packed(files)


def _check_exportable(config: ModelConfig) -> None:
    if config.time == "seconds" and config.fusion in FIXED_STRETCH:
        what = f"the fusion {config.fusion} with distances in seconds cannot be exported"
        raise RdmfError(what, todo="train it with distances in clips, or another fusion")


class TorchGraphs:
    """Runs the graphs of a network in torch, for heads that are not exported yet."""

    takes_many = True

    def __init__(self, network: Network):
        self.config = network.config
        self._graphs = graphs_of(_prepared(network))
        self._one = Lock()  # the graphs share the match of the videos in progress

    @torch.no_grad()
    def run(self, graph: str, **inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a graph on videos of one length; see `windows.Graphs.run`.

        Args:
            graph: "fuse", "decode" or "match".
            **inputs: arrays (B, ...) by name; arrays that the graph does not read are ignored.

        Returns:
            The outputs (B, ...), in the order of the graph's `outputs`.
        """
        wanted = self._graphs[graph].inputs
        with self._one:
            found = self._graphs[graph](*(torch.from_numpy(inputs[name]) for name in wanted))
        return tuple(x.numpy() for x in found)


def graphs_of(network: Network) -> dict[str, Graph]:
    """Split a network into its graphs, by name. The graphs share `network`, which is changed."""
    graphs: dict[str, Graph] = {}
    if network.config.full:
        graphs["match"] = MatchGraph(network.metric)
        network.metric = _KnownMatch(network.metric)  # type: ignore[assignment, unused-ignore]
    return {**graphs, "fuse": FuseGraph(network), "decode": DecodeGraph(network)}


class Graph(nn.Module):
    """A part of a network that takes and returns plain tensors, for B queries.

    Their videos have one length.

    Attributes:
        inputs: names of the inputs, in order.
        outputs: names of the outputs, in order.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def named(self, given: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Name the inputs, tensors (B, ...)."""
        return dict(zip(self.inputs, given, strict=True))


class MatchGraph(Graph):
    """Full head: the learned similarity of every clip, standardised over the video."""

    outputs = ("match",)

    def __init__(self, metric: Metric):
        super().__init__()
        self.metric = metric
        self.inputs = ("video", _text_input(metric))

    def forward(self, *given: Tensor) -> tuple[Tensor]:
        """Compute the match (B, L) of video (B, L, D) and query (B, S), or words (B, T, W)."""
        named = self.named(given)
        clips = named["video"][..., 0]
        blank = clips.new_zeros(0)
        batch = Batch(blank, _all_of(clips), blank, blank, blank, **_of_full(named))
        return (self.metric(batch, nn.Identity()).match,)


class FuseGraph(Graph):
    """The fusion of clips and query."""

    outputs = ("features", "pattern", "saliency", "presence", "curves")

    def __init__(self, network: Network):
        super().__init__()
        self.network = network
        self.inputs = (
            *("channels", "edges", "evidence"),
            *(("clip_length",) if network.config.time == "seconds" else ()),
            *_inputs_of_full(network),
        )

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Run the fusion on tensors (B, ...) in the order of `inputs`; return the `outputs`."""
        named = self.named(given)
        channels = named["channels"]
        if self.network.config.full:
            self.network.metric.match = named["match"]
        fused = self.network.fuse(
            Batch(
                channels,
                _all_of(channels[..., 0]),
                named["edges"],
                named["evidence"],
                clip_length=named.get("clip_length", channels.new_zeros(1)),
                **_of_full(named),
            )
        )
        return fused.features, fused.pattern, fused.saliency, fused.presence, fused.curves


class DecodeGraph(Graph):
    """The decoder: it turns slots into spans (in clips) and scores. It contains random slots."""

    outputs = ("spans", "scores")

    def __init__(self, network: Network):
        super().__init__()
        self.network = network
        own = network.config.slots == "random"
        self.inputs = (
            "features",
            "curves",
            "clip_length",
            *(() if own else ("slots", "slot_mask")),
        )

    def forward(self, *given: Tensor) -> Decoded:
        """Run the decoder on tensors (B, ...), ordered as `inputs`; return (B, K, 2), (B, K)."""
        named = self.named(given)
        mask = _all_of(named["features"][..., 0])
        slots = named["slots"] if "slots" in named else self.network.anchors(mask)[0]
        decoded: Decoded = self.network.decoder(
            named["features"],
            named["curves"],
            named["clip_length"],
            mask,
            slots,
            named["slot_mask"] > 0 if "slot_mask" in named else _all_of(slots[..., 0]),
        )
        return decoded


class _KnownMatch(nn.Module):
    """Takes the place of the metric: it returns the known match of the whole video."""

    match: Tensor

    def __init__(self, metric: Metric):
        super().__init__()
        self.metric, self.matching = metric, metric.matching

    def text(self, batch: Batch) -> Tensor:
        return self.metric.text(batch)

    def forward(self, batch: Batch, dropout: nn.Module) -> Metrics:
        assert batch.video is not None
        return Metrics(batch.video, self.metric.text(batch), self.match)


def _text_input(metric: Metric) -> str:
    return "words" if metric.matching is None else "sentence"


def _inputs_of_full(network: Network) -> tuple[str, ...]:
    """Return the names of the inputs that the fusion of a full head reads besides the channels."""
    if not network.config.full:
        return ()
    texts = {_text_input(network.metric)} | ({"words"} if network.words else set())
    return ("match", "video", *sorted(texts))


def _of_full(named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the fields of a batch that only a full head reads."""
    fields = {name: named[name] for name in ("video", "sentence", "words") if name in named}
    if "words" in fields:
        fields["word_mask"] = _all_of(fields["words"][..., 0])
    return fields


def _all_of(x: Tensor) -> Tensor:
    """Return a mask of x's shape with True everywhere: a single video has no padding."""
    return torch.ones_like(x, dtype=torch.bool)


def _prepared(network: Network) -> Network:
    """Return a copy for inference, with the fusions in their form for export."""
    network = copy.deepcopy(network).eval().cpu().requires_grad_(False)
    for block in network.blocks:
        assert isinstance(block.fusion, Fusion)
        block.fusion = block.fusion.for_export()
    if network.reacting is not None:
        network.reacting.for_export()
    return network


def _onnx(graph: Graph, config: ModelConfig) -> bytes:
    content = io.BytesIO()
    shapes = _example_shapes(config)
    with _quiet(), _more_symbols():
        torch.onnx.export(
            graph.eval(),
            tuple(torch.full(shapes[name], EXAMPLES.get(name, 0.0)) for name in graph.inputs),
            content,  # type: ignore[arg-type, unused-ignore]
            dynamo=False,
            opset_version=OPSET,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes={
                n: {0: VIDEOS, **AXES.get(n, {})} for n in (*graph.inputs, *graph.outputs)
            },
        )
    return content.getvalue()


def _example_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    videos, clips, curves = EXAMPLE[VIDEOS], EXAMPLE[CLIPS], len(SCALES) + 2 + config.full
    return {
        "channels": (videos, clips, len(config.channels)),
        "edges": (videos, EXAMPLE[PAIRS]),
        "evidence": (videos, 2),
        "match": (videos, clips),
        "video": (videos, clips, config.video_width or 0),
        "sentence": (videos, config.sentence_width or 0),
        "words": (videos, EXAMPLE[WORDS], config.words_width or 0),
        "features": (videos, clips, config.width),
        "curves": (videos, clips, curves),
        "clip_length": (videos,),
        "slots": (videos, EXAMPLE[SLOTS], 2),
        "slot_mask": (videos, EXAMPLE[SLOTS]),
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the tracer's warnings on values that become constants; tests compare results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _more_symbols() -> Iterator[None]:
    """Register ONNX forms of operations that the exporter lacks, and a faster Softplus."""
    symbols: dict[str, Callable[..., Any]] = {
        "aten::mT": _transposed,
        "aten::diff": _differences,
        "aten::softplus": _softplus,
    }
    for name, symbol in symbols.items():
        torch.onnx.register_custom_op_symbolic(name, symbol, OPSET)
    try:
        yield
    finally:
        for name in symbols:
            torch.onnx.unregister_custom_op_symbolic(name, OPSET)


def _transposed(graph: Any, x: Any) -> Any:
    *axes, row, column = range(x.type().dim())
    return graph.op("Transpose", x, perm_i=[*axes, column, row])


def _softplus(graph: Any, x: Any, beta: Any, threshold: Any) -> Any:
    """max(x, 0) + log(1 + exp(-|x|)); ONNX Runtime's own Softplus takes three times as long."""
    one = graph.op("Constant", value_t=torch.tensor(1.0))
    rest = graph.op("Exp", graph.op("Neg", graph.op("Abs", x)))
    return graph.op("Add", graph.op("Relu", x), graph.op("Log", graph.op("Add", rest, one)))


def _differences(graph: Any, x: Any, n: Any, dim: Any, prepend: Any, append: Any) -> Any:
    axes = [symbolic_helper._get_const(dim, "i", "dim")]
    behind = symbolic_helper._slice_helper(graph, x, axes=axes, starts=[1], ends=[LAST])
    before = symbolic_helper._slice_helper(graph, x, axes=axes, starts=[0], ends=[-1])
    return graph.op("Sub", behind, before)


def _packed(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive without dates, so that equal files give equal bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return content.getvalue()

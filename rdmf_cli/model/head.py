"""The learned head that answers without torch, and which head answers at all."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from rdmf_cli.archives import Archive
from rdmf_cli.datasets.sample import Sample
from rdmf_cli.errors import MissingExtra, RdmfError, UsageError
from rdmf_cli.files import MIB, content_of
from rdmf_cli.model import windows
from rdmf_cli.model.channels import channels, edges, evidence
from rdmf_cli.model.config import read_config
from rdmf_cli.model.inputs import Inputs, inputs_of
from rdmf_cli.model.reading import reading
from rdmf_cli.moments import Background, Reading, TrainingFree
from rdmf_cli.resources import load_weights, read_manifest

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from rdmf_cli.encoders.base import Encoder

Array = npt.NDArray[np.float32]

HEADS = ("auto", "learned", "training-free")

SHIPPED = "moments.rdmf"
SCHEMA: Final = "rdmf.head/1"
CONFIG = "config.json"
TRAINED = "model"  # the folder in its own where `rdmf train` leaves the head
ANEW = "export it again, or copy the file again"
EXPORT = "export it again with this version of rdmf"
MOST_HEAD: Final = 128 * MIB  # bytes of its file
MOST_PART: Final = 64 * MIB  # bytes of a graph, unpacked
TORCH_MEMBER = "/data.pkl"
OUTPUTS = {
    "fuse": ("features", "pattern", "saliency", "presence", "curves"),
    "decode": ("spans", "scores"),
    "match": ("match",),
}
"""What the parts of a head give, by their names."""

DISTINCT: Final = 0.5
"""IoU from which on two moments are one to whoever reads the answer. A benchmark rewards several
guesses at one moment, each of which may pass another threshold: `ModelConfig.overlap` is higher."""

CHECKPOINTS = f"give rates, an exported head, or the folder {TRAINED} of `rdmf train`"
OTHER = "ask with --encoder {}, or take a universal head"


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
        try:
            session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own, which share no base
            what = f"its part {graph_file(graph)} cannot be loaded"
            raise RdmfError(what, self._path, ANEW) from error
        if [x.name for x in session.get_outputs()] != [*OUTPUTS[graph]]:
            raise self._another_graph(graph)
        return session


class LearnedHead:
    """Finds moments by a trained network; an `evaluation.predict.Head`.

    >>> head = LearnedHead.load()
    >>> head.read(rows, sentence, clip_length=2.0).spans  # (L, D), (D,) -> (K, 2) seconds
    """

    def __init__(self, graphs: windows.Graphs):
        self._graphs = graphs
        self.config = graphs.config

    @classmethod
    def load(cls, path: Path | None = None) -> LearnedHead:
        """From an exported file; None: the one that ships with rdmf, whose hash is checked."""
        if path is None:
            return cls(OnnxGraphs(load_weights(SHIPPED), SHIPPED))
        todo = "name the file of an exported head"
        content = content_of(path, "the head", todo, most=MOST_HEAD)
        return cls(OnnxGraphs(content, path))

    @property
    def name(self) -> str:
        """What an answer says of it: "learned-universal" or "learned-full"."""
        return f"learned-{self.config.head}"

    def require(self, encoder: Encoder) -> None:
        """RdmfError, which names both, unless the head can read what this encoder says."""
        config = self.config
        if not config.full:
            return
        known = config.encoder in (None, encoder.name)
        as_wide = (encoder.size, (0, encoder.size)) == (config.video_width, config.matching)
        if known and as_wide:
            return
        mine = config.encoder or f"an encoder of {config.video_width} columns"
        what = f"this head was trained on features of {mine}, not of {encoder.name}"
        todo = OTHER.format(config.encoder or "the one it was trained with")
        raise RdmfError(what, todo=todo)

    def read(
        self,
        rows: Array,
        sentence: Array,
        *,
        words: Array | None = None,
        clip_length: float,
        duration: float | None = None,
        background: Background | None = None,
        top_k: int = 10,
    ) -> Reading:
        """Find the moments of one video that one query means.

        rows:        (L, D) clips, and sentence: (D,) the query; unit rows of one space
        words:       (T, W) unit rows; read by a full head alone
        clip_length: seconds
        duration:    seconds, where spans end at the latest; None: the end of the last clip
        background:  makes `presence` absolute; without it only the shape of the curve is judged
        """
        rows, sentence = np.asarray(rows, np.float32), np.asarray(sentence, np.float32)
        if rows.ndim != 2 or not len(rows) or sentence.shape != rows.shape[1:]:
            what = f"clips are of shape {rows.shape}, the sentence of {sentence.shape}"
            raise RdmfError(what, todo="give (L, D) with at least one clip, and (D,)")
        full, unrelated = self.config.full, evidence(rows @ sentence, background)

        def inputs(part: slice) -> Inputs:
            return Inputs(
                channels=channels(rows[part], sentence),
                edges=edges(rows[part], self.config.cut),
                evidence=unrelated,
                clip_length=clip_length,
                video=rows[part] if full else None,
                sentence=sentence if full else None,
                words=words if full else None,
            )

        limit = min(DISTINCT, self.config.overlap)
        told = self._read(inputs, rows @ sentence, clip_length, duration, top_k, limit)
        # On val the fitted rates tell better than the network whether a query is shown at all
        # (benchmarks/learned_head.py), and at 0.5 they are calibrated.
        return replace(told, presence=self._rates.presence(rows @ sentence, background))

    @cached_property
    def _rates(self) -> TrainingFree:
        return TrainingFree.load()

    def answer(self, sample: Sample, top_k: int) -> Reading:
        """The same of an annotated sample, with as many guesses as a benchmark rewards."""

        def inputs(part: slice) -> Inputs:
            return inputs_of(replace(sample, video=sample.video[part]), self.config)

        known = sample.matching is not None and sample.sentence is not None
        similarity = sample.similarity if known else np.zeros(len(sample.video), np.float32)
        return self._read(inputs, similarity, sample.clip_length, sample.duration, top_k)

    def _read(
        self,
        inputs: Callable[[slice], Inputs],
        similarity: Array,
        clip_length: float,
        duration: float | None,
        top_k: int,
        overlap: float | None = None,
    ) -> Reading:
        field, found = windows.read(self._graphs, inputs, similarity)
        return reading(
            field.pattern,
            field.saliency,
            field.presence,
            found.spans,
            found.scores,
            clip_length,
            duration,
            top_k,
            self.config,
            overlap,
        )


# -------------------------------------------------------------------- which head answers
def load_head(name: str = "auto", checkpoint: Path | None = None) -> TrainingFree | LearnedHead:
    """The head that a command line means.

    name:       of HEADS; "auto" is the learned one where it ships
    checkpoint: rates of the training-free head, an exported head, or the folder of a trained one

    Raises UsageError for another name and where both are given, MissingExtra where a folder meets
    no torch, RdmfError where the checkpoint is none.
    """
    if name not in HEADS:
        raise UsageError("no such head", name, f"take one of: {', '.join(HEADS)}")
    if checkpoint is not None:
        if name != "auto":
            todo = "a checkpoint says itself which head it is"
            raise UsageError("cannot be given together", "--head and --checkpoint", todo)
        return _of_checkpoint(checkpoint)
    if name == "learned" or (name == "auto" and is_shipped()):
        return LearnedHead.load()
    return TrainingFree.load()


def is_shipped() -> bool:
    """Whether this release has a learned head."""
    return SHIPPED in read_manifest()["files"]


def _of_checkpoint(path: Path) -> TrainingFree | LearnedHead:
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise RdmfError("there is no such file or folder", path, CHECKPOINTS)
    return LearnedHead.load(path) if zipfile.is_zipfile(path) else TrainingFree.load(path)


def _of_folder(folder: Path) -> LearnedHead:
    if find_spec("torch") is None:
        raise MissingExtra("a checkpoint that is a folder", "train")
    from rdmf_cli.model.checkpoint import load
    from rdmf_cli.model.export import TorchGraphs

    trained = folder / TRAINED
    return LearnedHead(TorchGraphs(load(trained if trained.is_dir() else folder)))

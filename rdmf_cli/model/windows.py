"""Videos of any length through graphs that take one window at a time.

The fusion's windows overlap by its reach, so that what it says of a clip is what it would say of it
in the whole video. Slots are found and decoded in shorter windows, for a moment is judged by what
is around it; those too long for a window are looked for in the video as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rdmf_cli.model.config import ModelConfig
from rdmf_cli.model.inputs import Inputs
from rdmf_cli.model.reading import logistic
from rdmf_cli.model.slots import pattern_slots
from rdmf_cli.moments.pattern import level_sets

Array = npt.NDArray[np.float32]

WINDOW = 512
"""Clips taken at once: a longer video is cut."""


class Graphs(Protocol):
    """The parts of a network: "fuse" and "decode", and of a full head "match"."""

    config: ModelConfig

    def run(self, graph: str, **inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """The outputs of a part for one video (1, ...); inputs it does not read are ignored."""
        ...


@dataclass(frozen=True, eq=False)
class Field:
    """What the fusion makes of L clips.

    features: (L, W); curves: (L, R), what else the decoder sees
    pattern:  (4, L) log-odds, of each of `config.SCALES`
    saliency: (L,) logits
    presence: log-odds; of windows, the highest
    """

    features: Array
    pattern: Array
    saliency: Array
    presence: float
    curves: Array

    def __len__(self) -> int:
        return len(self.saliency)

    def part(self, clips: slice) -> Field:
        return Field(
            self.features[clips],
            self.pattern[:, clips],
            self.saliency[clips],
            self.presence,
            self.curves[clips],
        )


class Found(NamedTuple):
    """spans: (K, 2) in clips; scores: (K,) log-odds."""

    spans: Array
    scores: Array


# ------------------------------------------------------------------------------- fusion
def reach(config: ModelConfig) -> int:
    """Clips to each side that the fusion of a clip depends on; attention is cut there."""
    return config.blocks * config.halo


def fuse(graphs: Graphs, inputs: Inputs, window: int = WINDOW) -> Field:
    """The fusion of all clips."""
    match = _match(graphs, inputs)
    parts = [
        _fused(graphs, inputs, match, seen).part(
            slice(own.start - seen.start, own.stop - seen.start)
        )
        for own, seen in _with_halo(len(inputs), window, reach(graphs.config))
    ]
    return Field(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.pattern for part in parts], axis=1),
        np.concatenate([part.saliency for part in parts]),
        max(part.presence for part in parts),
        np.concatenate([part.curves for part in parts]),
    )


def _with_halo(clips: int, window: int, halo: int) -> Iterator[tuple[slice, slice]]:
    """Windows that together are the video, and what of it has to be seen for each."""
    for start in range(0, clips, window):
        end = min(start + window, clips)
        yield slice(start, end), slice(max(start - halo, 0), min(end + halo, clips))


def _match(graphs: Graphs, inputs: Inputs) -> Array | None:
    """(L,) of a full head: learned similarity, which is standardised over the whole video."""
    if not graphs.config.full:
        return None
    (match,) = graphs.run("match", **_batched(_of_full(inputs, slice(None))))
    return match[0]


def _fused(graphs: Graphs, inputs: Inputs, match: Array | None, seen: slice) -> Field:
    given = {
        "channels": inputs.channels[seen],
        "edges": inputs.edges[seen.start : seen.stop - 1],
        "evidence": inputs.evidence,
    }
    if match is not None:
        given |= {"match": match[seen], **_of_full(inputs, seen)}
    features, pattern, saliency, presence, curves = graphs.run("fuse", **_batched(given))
    return Field(features[0], pattern[0], saliency[0], float(presence[0]), curves[0])


def _of_full(inputs: Inputs, seen: slice) -> dict[str, Array]:
    given = {"sentence": inputs.sentence, "words": inputs.words}
    if inputs.video is not None:
        given["video"] = inputs.video[seen]
    return {name: rows for name, rows in given.items() if rows is not None}


def _batched(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: np.ascontiguousarray(x[None], dtype=np.float32) for name, x in arrays.items()}


# ------------------------------------------------------------------------------- moments
def find(graphs: Graphs, field: Field, clip_length: float, window: int = WINDOW) -> Found:
    """What every slot of the video becomes; neighbours in overlapping windows may find the same."""
    parts = [
        _found(graphs, field, clips, clip_length) for clips in _overlapping(len(field), window)
    ]
    if len(parts) > 1:
        parts.append(_found_long(graphs, field, window // 2, clip_length))
    return Found(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _overlapping(clips: int, window: int) -> Iterator[slice]:
    """Windows that overlap by half, so that what is no longer lies in one as a whole."""
    hop = window // 2
    for start in range(0, max(clips - hop, 1), hop):
        yield slice(start, min(start + window, clips))


def _found(graphs: Graphs, field: Field, clips: slice, clip_length: float) -> Found:
    """The slots of a window, but for those that its borders cut."""
    part, config = field.part(clips), graphs.config
    if config.slots == "random":
        spans, scores = _decoded(graphs, part, None, clip_length)
        return Found(spans + clips.start, scores)
    mask = np.ones((1, len(part)), dtype=bool)
    slots = pattern_slots(_chances(part), mask, config.levels, config.most_slots).spans[0]
    spans, scores = _decoded(graphs, part, slots, clip_length)
    whole = (slots[:, 0] > 0) | (clips.start == 0)
    whole &= (slots[:, 1] < len(part)) | (clips.stop == len(field))
    return Found(spans[whole] + clips.start, scores[whole])


def _found_long(graphs: Graphs, field: Field, least: int, clip_length: float) -> Found:
    """The slots of the whole video that are longer than `least` clips."""
    config = graphs.config
    if config.slots == "random":
        return _decoded(graphs, field, None, clip_length)
    mask = np.ones((1, len(field)), dtype=bool)
    found = level_sets(_chances(field), mask, config.levels)
    long = np.flatnonzero(found.right - found.left > least)
    kept = long[np.argsort(-found.persistence[long], kind="stable")[: config.most_slots]]
    slots = np.stack([found.left[kept], found.right[kept]], axis=1)
    return _decoded(graphs, field, np.clip(slots, 0, len(field)), clip_length)


def _decoded(graphs: Graphs, field: Field, slots: Array | None, clip_length: float) -> Found:
    given = {
        "features": field.features,
        "curves": field.curves,
        "clip_length": np.asarray(clip_length),
    }
    if slots is not None:
        given["slots"] = slots
    spans, scores = graphs.run("decode", **_batched(given))
    return Found(spans[0], scores[0])


def _chances(field: Field) -> npt.NDArray[np.floating]:
    """(1, 4, L): the pattern in [0, 1]."""
    return logistic(field.pattern)[None]

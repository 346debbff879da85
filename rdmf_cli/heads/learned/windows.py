"""Videos of any length through a network that learned from short ones.

What is said of a clip depends on what it is compared with: similarity is standardised over the
video that is seen. So longer footage is read look by look, each a video of about the length that
the network learned from, and they overlap by half. A look counts for less, the less its best clips
match than those of the whole. Hence an answer means the same at any length.

Moments too long for a look are sought in the pattern of the whole. Its fusion runs by windows that
overlap by its reach: what it says of a clip is what it would say of it in the whole at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import strongest
from rdmf_cli.channels.inputs import Inputs
from rdmf_cli.channels.similarity import LEAST_DEVIATION
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.reading import logistic
from rdmf_cli.heads.learned.slots import pattern_slots
from rdmf_cli.moments.pattern import level_sets

Array = npt.NDArray[np.float32]

WINDOW = 512
"""Clips fused at once: a longer video is cut."""

LOOK = 128
"""Clips that are read as one video; the network learned from 75 and fewer."""

GAP = 1.5
"""Log-odds that a look loses for every deviation of the similarity (within looks) by which its best
clips match less than the best of the footage. Chosen on QVHighlights-captions train."""

LEAST_IOU = 1e-4
"""What is expected of the worst span, and what the best lacks: log-odds are finite."""


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
    presence: log-odds; of windows, the highest, of looks, that of the one that matches best
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
    return _concatenated(parts)


def _concatenated(parts: Sequence[Field]) -> Field:
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


# --------------------------------------------------------------------------------- looks
def read(
    graphs: Graphs,
    inputs: Callable[[slice], Inputs],
    similarity: Sequence[float] | npt.NDArray[np.floating],
) -> tuple[Field, Found]:
    """The field of all clips, and what every slot becomes; looks that overlap may find the same.

    inputs:     of a part of the clips, as if it were the whole video
    similarity: (L,) of each clip and the query; where it is 0, looks count alike
    """
    clips = slice(0, len(similarity))
    if clips.stop <= LOOK:
        return _look(graphs, inputs(clips), clips, clips)
    parts = list(_overlapping(clips.stop, LOOK))
    looks = [_look(graphs, inputs(part), part, clips) for part in parts]
    less = GAP * gaps(np.asarray(similarity, np.float64), parts)
    field = _joined([_dimmed(field, x) for (field, _), x in zip(looks, less, strict=True)], parts)
    best = looks[int(less.argmin())][0]
    found = [Found(one.spans, one.scores - x) for (_, one), x in zip(looks, less, strict=True)]
    found.append(find_long(fuse(graphs, inputs(clips)), LOOK, graphs.config))
    return replace(field, presence=best.presence), _all(found)


def gaps(similarity: npt.NDArray[np.floating], parts: Sequence[slice]) -> npt.NDArray[np.float64]:
    """(P,) not negative: how much less the best clips of each part match than those of the whole.

    In deviations of the similarity within a part: neither repeats of a video nor other footage
    beside it change this unit much.
    """
    reached = np.array([strongest(similarity[part]) for part in parts])
    unit = np.mean([similarity[part].std() for part in parts])
    return np.maximum(reached.max() - reached, 0.0) / max(float(unit), LEAST_DEVIATION)


def _look(graphs: Graphs, inputs: Inputs, part: slice, clips: slice) -> tuple[Field, Found]:
    """One part of the clips as a video of its own, but for slots that its borders cut."""
    field, config = fuse(graphs, inputs), graphs.config
    if config.slots == "random":
        found = _decoded(graphs, field, None, inputs.clip_length)
        return field, Found(found.spans + part.start, found.scores)
    mask = np.ones((1, len(field)), dtype=bool)
    slots = pattern_slots(_chances(field), mask, config.levels, config.most_slots).spans[0]
    spans, scores = _decoded(graphs, field, slots, inputs.clip_length)
    whole = (slots[:, 0] > 0) | (part.start == clips.start)
    whole &= (slots[:, 1] < len(field)) | (part.stop == clips.stop)
    return field, Found(spans[whole] + part.start, scores[whole])


def _overlapping(clips: int, window: int) -> Iterator[slice]:
    """Parts that overlap by half, so that what is no longer lies in one as a whole."""
    hop = window // 2
    for start in range(0, max(clips - hop, 1), hop):
        yield slice(start, min(start + window, clips))


def _dimmed(field: Field, less: float) -> Field:
    return replace(field, pattern=field.pattern - less, saliency=field.saliency - less)


def _joined(fields: Sequence[Field], parts: Sequence[slice]) -> Field:
    """One field; what two parts show is said by the one whose border lies further off."""
    edges = [
        0,
        *((one.stop + next_.start) // 2 for one, next_ in itertools.pairwise(parts)),
        parts[-1].stop,
    ]
    own = [
        field.part(slice(start - part.start, end - part.start))
        for field, part, (start, end) in zip(fields, parts, itertools.pairwise(edges), strict=True)
    ]
    return _concatenated(own)


def _all(found: Sequence[Found]) -> Found:
    return Found(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


# ------------------------------------------------------------------------------- moments
def find_long(field: Field, least: int, config: ModelConfig) -> Found:
    """The level sets of the whole video that are longer than `least` clips.

    The network has seen nothing so long, so their score is not the decoder's: it is the IoU that
    the pattern itself lets expect.
    """
    mask = np.ones((1, len(field)), dtype=bool)
    found = level_sets(_chances(field), mask, config.levels)
    long = np.flatnonzero(found.right - found.left > least)
    kept = long[np.argsort(-found.persistence[long], kind="stable")[: config.most_slots]]
    spans = np.clip(np.stack([found.left[kept], found.right[kept]], axis=1), 0, len(field))
    expected = _expected_iou(_chances(field)[0, 0], found.start[kept], found.end[kept])
    log_odds = np.log(expected) - np.log1p(-expected)
    return Found(spans.astype(np.float32), log_odds.astype(np.float32))


def _expected_iou(
    chances: npt.NDArray[np.floating], start: npt.NDArray[np.int_], end: npt.NDArray[np.int_]
) -> npt.NDArray[np.floating]:
    """(K,) within (0, 1): of spans [start, end) of clips with the moment that they are part of.

    chances: (L,) that a clip belongs to a moment. Of a span's clips so many are expected to be of
    it, and so many more of those around it, as far as half of its length to both sides.
    """
    sums = np.concatenate([[0.0], np.cumsum(chances, dtype=np.float64)])
    margin = (end - start) // 2
    wide = sums[np.minimum(end + margin, len(chances))] - sums[np.maximum(start - margin, 0)]
    inside = sums[end] - sums[start]
    return np.clip(inside / (end - start + wide - inside), LEAST_IOU, 1 - LEAST_IOU)


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

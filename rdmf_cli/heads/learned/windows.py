"""Run the network on videos of any length, window by window.

What a head says of a clip depends on what the clip is compared with: similarity is standardised
over the video. The network was trained on short videos. So longer footage is read in windows, each
as a video of its own, of about the length that the network was trained on, overlapping by half. The
less the best clips of a window match compared with the best of the whole, the lower its scores; and
the more a span stands out of the whole footage, compared with the clips around it, the higher its
own. So an answer means the same at any length.

Moments that are too long for such a window are found in the pattern of the whole video. Its fusion
runs in windows that overlap by the reach of the fusion, so the result for a clip is that of the
whole at once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import strongest
from rdmf_cli.channels.inputs import Inputs, inputs_of
from rdmf_cli.channels.question import Question
from rdmf_cli.channels.similarity import CLIPS_AROUND, LEAST_DEVIATION
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.reading import logistic
from rdmf_cli.heads.learned.slots import pattern_slots
from rdmf_cli.moments.pattern import level_sets

Array = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int_]

FUSION_WINDOW = 512
"""Clips that are fused at once; a longer video is fused in windows of this size."""

READ_WINDOW = 128
"""Clips of a window that is read as a video of its own; training videos have at most 75."""

MATCH_GAP = 1.5
"""Log-odds that a window loses per standard deviation of the similarity (within windows) by which
its best clips match less than the best of the footage. Chosen on QVHighlights-captions train.
"""

STANDING = 1.5
"""Log-odds that a span gains per standard deviation that it stands higher in the whole footage than
among the clips around it; 0 in repeats of a video. Chosen on QVHighlights-captions train.
"""

LEAST_IOU = 1e-4
"""Bound of the expected IoU, within [LEAST_IOU, 1 - LEAST_IOU], so that log-odds stay finite."""


class Graphs(Protocol):
    """The graphs of a network: "fuse", "decode", and for a full head "match"."""

    config: ModelConfig

    def run(self, graph: str, **inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a graph on one video.

        Args:
            graph: "fuse", "decode" or "match".
            **inputs: arrays (1, ...) by name; those that the graph does not read are ignored.

        Returns:
            The outputs (1, ...), in the order of `archive.OUTPUTS`.
        """
        ...


@dataclass(frozen=True, eq=False)
class ClipOutputs:
    """The outputs of the fusion for L clips.

    Attributes:
        features: (L, W) for the decoder.
        pattern: (4, L) log-odds, one row per entry of `config.SCALES`.
        saliency: (L,) logits.
        presence: log-odds; for several windows the highest, or that of the window that matches
            best.
        curves: (L, R) what else the decoder sees of each clip.
    """

    features: Array
    pattern: Array
    saliency: Array
    presence: float
    curves: Array

    def __len__(self) -> int:
        return len(self.saliency)

    def part(self, clips: slice) -> ClipOutputs:
        """Return the outputs of some of the clips."""
        return ClipOutputs(
            self.features[clips],
            self.pattern[:, clips],
            self.saliency[clips],
            self.presence,
            self.curves[clips],
        )


class Found(NamedTuple):
    """Moments as the decoder gives them.

    Attributes:
        spans: (K, 2) [start, end] in clips.
        scores: (K,) log-odds of the expected IoU.
    """

    spans: Array
    scores: Array


def fuse(graphs: Graphs, inputs: Inputs, window: int = FUSION_WINDOW) -> ClipOutputs:
    """Fuse all clips of a video with the query, in windows where it is long.

    Args:
        graphs: the network.
        inputs: the inputs of L clips.
        window: clips that are fused at once.
    """
    match = _match(graphs, inputs)
    parts = [
        _fused(graphs, inputs, match, seen).part(
            slice(own.start - seen.start, own.stop - seen.start)
        )
        for own, seen in _with_halo(len(inputs), window, _reach(graphs.config, inputs.clip_length))
    ]
    return _concatenated(parts)


def _reach(config: ModelConfig, clip_length: float) -> int:
    return config.reach * math.ceil(config.stretch(clip_length))


def read_window(config: ModelConfig, clip_length: float) -> int:
    """Return the clips of a window that is read as a video of its own."""
    return round(READ_WINDOW * max(config.stretch(clip_length), 1.0))


def _concatenated(parts: Sequence[ClipOutputs]) -> ClipOutputs:
    return ClipOutputs(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.pattern for part in parts], axis=1),
        np.concatenate([part.saliency for part in parts]),
        max(part.presence for part in parts),
        np.concatenate([part.curves for part in parts]),
    )


def _with_halo(clips: int, window: int, halo: int) -> Iterator[tuple[slice, slice]]:
    """Yield windows that together are the video, and for each the clips that it depends on."""
    for start in range(0, clips, window):
        end = min(start + window, clips)
        yield slice(start, end), slice(max(start - halo, 0), min(end + halo, clips))


def _match(graphs: Graphs, inputs: Inputs) -> Array | None:
    """Return the learned similarity (L,) of a full head, standardised over the whole video."""
    if not graphs.config.full:
        return None
    (match,) = graphs.run("match", **_batched(_of_full(inputs, slice(None))))
    standardised: Array | None = match[0]
    return standardised


def _fused(graphs: Graphs, inputs: Inputs, match: Array | None, seen: slice) -> ClipOutputs:
    given = {
        "channels": inputs.channels[seen],
        "edges": inputs.edges[seen.start : seen.stop - 1],
        "evidence": inputs.evidence,
        "clip_length": np.asarray(inputs.clip_length),
    }
    if match is not None:
        given |= {"match": match[seen], **_of_full(inputs, seen)}
    features, pattern, saliency, presence, curves = graphs.run("fuse", **_batched(given))
    return ClipOutputs(features[0], pattern[0], saliency[0], float(presence[0]), curves[0])


def _of_full(inputs: Inputs, seen: slice) -> dict[str, Array]:
    given = {"sentence": inputs.sentence, "words": inputs.words}
    if inputs.video is not None:
        given["video"] = inputs.video[seen]
    return {name: rows for name, rows in given.items() if rows is not None}


def _batched(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: np.ascontiguousarray(x[None], dtype=np.float32) for name, x in arrays.items()}


def read(graphs: Graphs, question: Question) -> tuple[ClipOutputs, Found]:
    """Answer a question on a video of any length.

    Args:
        graphs: the network.
        question: the question, on L clips; without a similarity, all windows and spans count alike.

    Returns:
        The outputs of the fusion for all clips, and the moments; windows that overlap may find the
        same moment twice.
    """

    def inputs(part: slice) -> Inputs:
        return inputs_of(question.part(part), graphs.config)

    clips = slice(0, len(question))
    window = read_window(graphs.config, question.clip_length)
    if clips.stop <= window:
        return _read_window(graphs, inputs(clips), clips, clips)
    parts = list(_overlapping(clips.stop, window))
    windows = [_read_window(graphs, inputs(part), part, clips) for part in parts]
    known = question.similarity if question.has_similarity else np.zeros(len(question))
    similarity = np.asarray(known, np.float64)
    less = MATCH_GAP * gaps(similarity, parts)
    field = _joined([_dimmed(field, x) for (field, _), x in zip(windows, less, strict=True)], parts)
    best = windows[int(less.argmin())][0]
    found = [
        Found(one.spans, one.scores - x + STANDING * standing(similarity, one.spans))
        for (_, one), x in zip(windows, less, strict=True)
    ]
    found.append(find_long(fuse(graphs, inputs(clips)), window, graphs.config))
    return replace(field, presence=best.presence), _all(found)


def gaps(similarity: npt.NDArray[np.floating], parts: Sequence[slice]) -> npt.NDArray[np.float64]:
    """Compute how much less the best clips of each part match than those of the whole.

    The unit is the standard deviation of the similarity within a part: neither repeats of a video
    nor other footage beside it change it much.

    Args:
        similarity: (L,) of each clip and the query.
        parts: P parts of the clips.

    Returns:
        (P,) not negative.
    """
    reached = np.array([strongest(similarity[part]) for part in parts])
    unit = np.mean([similarity[part].std() for part in parts])
    lack: npt.NDArray[np.float64] = np.maximum(reached.max() - reached, 0.0) / max(
        float(unit), LEAST_DEVIATION
    )
    return lack


def standing(
    similarity: npt.NDArray[np.floating], spans: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Measure how much higher spans stand in the whole footage than among the clips around them.

    Args:
        similarity: (L,) of each clip of the footage and the query, L > 0.
        spans: (K, 2) in clips; a clip that a span reaches into counts in full.

    Returns:
        (K,) the mean similarity of each span in deviations from the mean of the footage, less the
        same measured within the `CLIPS_AROUND` clips around its middle.
    """
    clips = len(similarity)
    start = np.clip(np.floor(spans[:, 0]).astype(int), 0, clips - 1)
    end = np.clip(np.ceil(spans[:, 1]).astype(int), start + 1, clips)
    low = np.clip((start + end) // 2 - CLIPS_AROUND // 2, 0, max(clips - CLIPS_AROUND, 0))
    high = np.minimum(low + CLIPS_AROUND, clips)
    centred = similarity - similarity.mean()
    sums = np.concatenate([[0.0], np.cumsum(centred, dtype=np.float64)])
    squares = np.concatenate([[0.0], np.cumsum(centred**2, dtype=np.float64)])

    def mean(sums: npt.NDArray[np.float64], a: Indices, b: Indices) -> npt.NDArray[np.float64]:
        means: npt.NDArray[np.float64] = (sums[b] - sums[a]) / (b - a)
        return means

    inside, around = mean(sums, start, end), mean(sums, low, high)
    variance = mean(squares, low, high) - around**2
    deviation = np.sqrt(np.maximum(variance, LEAST_DEVIATION**2))
    whole = max(float(centred.std()), LEAST_DEVIATION)
    standing: npt.NDArray[np.float64] = inside / whole - (inside - around) / deviation
    return standing


def _read_window(
    graphs: Graphs, inputs: Inputs, part: slice, clips: slice
) -> tuple[ClipOutputs, Found]:
    """Read one part of the clips as a video of its own, without slots that its borders cut."""
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
    """Yield parts that overlap by half: a moment of half their length lies whole in one."""
    hop = window // 2
    for start in range(0, max(clips - hop, 1), hop):
        yield slice(start, min(start + window, clips))


def _dimmed(field: ClipOutputs, less: float) -> ClipOutputs:
    return replace(field, pattern=field.pattern - less, saliency=field.saliency - less)


def _joined(fields: Sequence[ClipOutputs], parts: Sequence[slice]) -> ClipOutputs:
    """Join the parts: each clip is taken from the part whose border is further away."""
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


def find_long(field: ClipOutputs, least: int, config: ModelConfig) -> Found:
    """Find the level sets of the whole video that are longer than `least` clips.

    The network was trained on nothing so long, so their score does not come from the decoder: it is
    the IoU that is expected from the pattern itself.

    Args:
        field: outputs of the fusion for L clips.
        least: clips.
        config: the head's configuration.

    Returns:
        Spans (K, 2) in clips and scores (K,).
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
    """Return the expected IoU (K,) of spans [start, end) with the moment they are part of.

    `chances` (L,) are probabilities that a clip belongs to a moment. Their sum inside a span is the
    expected number of its clips that belong; the sum around it, up to half of its length on each
    side, is the expected number that it misses. The result is at most the median probability in the
    span: otherwise several short moments would count as one long moment.
    """
    sums = np.concatenate([[0.0], np.cumsum(chances, dtype=np.float64)])
    margin = (end - start) // 2
    wide = sums[np.minimum(end + margin, len(chances))] - sums[np.maximum(start - margin, 0)]
    inside = sums[end] - sums[start]
    expected = inside / (end - start + wide - inside)
    half = np.array([np.median(chances[a:b]) for a, b in zip(start, end, strict=True)])
    clipped: npt.NDArray[np.floating] = np.clip(
        np.minimum(expected, half.reshape(-1)), LEAST_IOU, 1 - LEAST_IOU
    )
    return clipped


def _decoded(graphs: Graphs, field: ClipOutputs, slots: Array | None, clip_length: float) -> Found:
    given = {
        "features": field.features,
        "curves": field.curves,
        "clip_length": np.asarray(clip_length),
    }
    if slots is not None:
        given["slots"] = slots
    spans, scores = graphs.run("decode", **_batched(given))
    return Found(spans[0], scores[0])


def _chances(field: ClipOutputs) -> npt.NDArray[np.floating]:
    """Return the pattern (1, 4, L) as probabilities."""
    return logistic(field.pattern)[None]

"""Run the network on videos of any length, window by window.

Similarity is standardised over the video, so the reading of a clip depends on the clips with which
it is compared. The network was trained on short videos. So a longer video is read in windows that
overlap by half. Each window is read like a whole video and is about as long as the videos of
training. Two corrections make the scores of all windows comparable. If the best clips of a window
match less than the best clips of the whole video, all scores of the window fall. If a span stands
out more from the whole video than from the clips around it, its score rises. So a score means the
same in a video of any length.

Moments that are too long for such a window are found in the pattern of the whole video. For this
pattern the fusion runs in windows that overlap by the reach of the fusion. So each clip has the
same result as if the whole video were fused at once.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import strongest
from rdmf_cli.channels.inputs import Inputs, inputs_of
from rdmf_cli.channels.question import Question
from rdmf_cli.channels.similarity import CLIPS_AROUND, LEAST_DEVIATION
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.reading import logistic
from rdmf_cli.heads.learned.slots import pattern_slots
from rdmf_cli.moments.nms import span_iou
from rdmf_cli.moments.pattern import level_sets

Array = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int_]

FUSION_WINDOW = 1024
"""Number of clips that are fused at once. A longer video is fused in windows of this size."""

CLIPS_TOGETHER = 512
"""Number of clips of all videos in one run of a graph. More are not faster."""

PARTS_TOGETHER = 8
"""Number of windows whose outputs are in memory at once."""

THREADS = 2
"""Number of threads that run a graph. ONNX Runtime uses one core per run of such small graphs."""

READ_WINDOW = 128
"""Number of clips of a window that is read like a whole video. Training videos have at most 75."""

MATCH_GAP = 1.5
"""Log-odds that a window loses per standard deviation of `gaps`.

`gaps` measures how much less the best clips of a window match than the best clips of the whole
video. The number was chosen on QVHighlights-captions train.
"""

STANDING = 1.5
"""Log-odds that a span gains per standard deviation of `standing`.

`standing` measures how much higher a span stands in the whole video than among the clips around the
span; it is 0 in a video that repeats itself. The number was chosen on QVHighlights-captions train.
"""

SAME_MOMENT = 0.5
"""IoU from which two windows are taken to have found the same moment."""

LEAST_IOU = 1e-4
"""The expected IoU is kept within [LEAST_IOU, 1 - LEAST_IOU], so that log-odds stay finite."""


class Graphs(Protocol):
    """The graphs of a network: "fuse", "decode", and, for a full head, "match"."""

    config: ModelConfig

    @property
    def takes_many(self) -> bool:
        """Whether a run takes several videos of one length; heads of older exports take one."""
        ...

    def run(self, graph: str, **inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run a graph on B videos of one length.

        Args:
            graph: "fuse", "decode" or "match".
            **inputs: arrays (B, ...) by name; arrays that the graph does not read are ignored.

        Returns:
            The outputs (B, ...), in the order of `archive.OUTPUTS`.
        """
        ...


@dataclass(frozen=True, eq=False)
class ClipOutputs:
    """The outputs of the fusion for L clips.

    Attributes:
        features: (L, W) features for the decoder.
        pattern: (4, L) log-odds, one row per entry of `config.SCALES`.
        saliency: (L,) logits.
        presence: log-odds that the video shows the query. If a video has several windows: from
            `fuse`, the highest log-odds of all windows; from `read`, the log-odds of the window
            that matches best.
        curves: (L, R) further numbers per clip that the decoder reads.
    """

    features: Array
    pattern: Array
    saliency: Array
    presence: float
    curves: Array

    def __len__(self) -> int:
        return len(self.saliency)

    def without_decoder_inputs(self) -> ClipOutputs:
        """Return the outputs without those that only the decoder reads, which take most memory."""
        none = np.zeros((len(self), 0), np.float32)
        return replace(self, features=none, curves=none)

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
    """Moments, in the form in which the decoder returns them.

    Attributes:
        spans: (K, 2) [start, end] in clips.
        scores: (K,) log-odds of the expected IoU.
    """

    spans: Array
    scores: Array


def fuse(graphs: Graphs, inputs: Inputs, window: int = FUSION_WINDOW) -> ClipOutputs:
    """Fuse all clips of a video with the query; a long video is fused in windows.

    Args:
        graphs: the graphs of the network.
        inputs: the inputs of L clips.
        window: number of clips that are fused at once.
    """
    return fuse_all(graphs, [inputs], window)[0]


def fuse_all(
    graphs: Graphs, inputs: Sequence[Inputs], window: int = FUSION_WINDOW, *, decodes: bool = True
) -> list[ClipOutputs]:
    """Fuse several videos, each with its own query; see `fuse`. Those of one length run together.

    Args:
        graphs: the graphs of the network.
        inputs: the inputs of each video.
        window: number of clips that are fused at once.
        decodes: whether the decoder will read the outputs; if not, they take less memory.
    """
    matches = _matches(graphs, inputs)
    windows = (
        (number, own, seen)
        for number, one in enumerate(inputs)
        for own, seen in _with_halo(len(one), window, _reach(graphs.config, one.clip_length))
    )
    parts: list[list[ClipOutputs]] = [[] for _ in inputs]
    while some := list(itertools.islice(windows, PARTS_TOGETHER)):
        given = [_of_fusion(inputs[number], matches[number], seen) for number, _, seen in some]
        made = run_all(graphs, "fuse", given)
        for (number, own, seen), outputs in zip(some, made, strict=True):
            features, pattern, saliency, presence, curves = outputs
            fused = ClipOutputs(features, pattern, saliency, float(presence), curves)
            fused = fused.part(slice(own.start - seen.start, own.stop - seen.start))
            parts[number].append(fused if decodes else fused.without_decoder_inputs())
    return [_concatenated(some) for some in parts]


def run_all(
    graphs: Graphs, graph: str, inputs: Sequence[Mapping[str, Array]]
) -> list[tuple[Array, ...]]:
    """Run a graph on the inputs of several videos; inputs of equal shapes run together.

    Args:
        graphs: the graphs of the network.
        graph: "fuse", "decode" or "match".
        inputs: for each video, arrays (...) by name.

    Returns:
        For each video, the outputs (...), in the order of `archive.OUTPUTS`.
    """
    alike: dict[object, list[int]] = {}
    for number, one in enumerate(inputs):
        alike.setdefault(tuple((name, x.shape) for name, x in one.items()), []).append(number)
    runs = [
        places[start : start + count]
        for places in alike.values()
        for count in [_together(graphs, inputs[places[0]])]
        for start in range(0, len(places), count)
    ]

    def run(places: list[int]) -> tuple[Array, ...]:
        stacked = {
            name: np.stack([np.asarray(inputs[i][name], np.float32) for i in places])
            for name in inputs[places[0]]
        }
        return graphs.run(graph, **stacked)

    made: dict[int, tuple[Array, ...]] = {}
    for places, outputs in zip(runs, in_threads(run, runs), strict=True):
        made.update(zip(places, zip(*outputs, strict=True), strict=True))
    return [made[number] for number in range(len(inputs))]


def _together(graphs: Graphs, inputs: Mapping[str, Array]) -> int:
    """Return how many videos with such inputs run together."""
    clips = max(len(x) for x in inputs.values() if x.ndim)
    return max(CLIPS_TOGETHER // clips, 1) if graphs.takes_many else 1


def _reach(config: ModelConfig, clip_length: float) -> int:
    return config.reach * math.ceil(config.stretch(clip_length))


def read_window(config: ModelConfig, clip_length: float) -> int:
    """Return the number of clips of a window that is read like a whole video."""
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
    """Yield windows that together cover the video, each with the clips that it depends on."""
    for start in range(0, clips, window):
        end = min(start + window, clips)
        yield slice(start, end), slice(max(start - halo, 0), min(end + halo, clips))


def _matches(graphs: Graphs, inputs: Sequence[Inputs]) -> list[Array] | list[None]:
    """Return the learned similarities (L,) of a full head, standardised over each whole video."""
    if not graphs.config.full:
        return [None] * len(inputs)
    made = run_all(graphs, "match", [_of_full(one, slice(None)) for one in inputs])
    return [match for (match,) in made]


def _of_fusion(inputs: Inputs, match: Array | None, seen: slice) -> dict[str, Array]:
    """Return the inputs of the graph "fuse" for some of the clips."""
    given = {
        "channels": inputs.channels[seen],
        "edges": inputs.edges[seen.start : seen.stop - 1],
        "evidence": inputs.evidence,
        "clip_length": np.asarray(inputs.clip_length),
    }
    if match is not None:
        given |= {"match": match[seen], **_of_full(inputs, seen)}
    return given


def _of_full(inputs: Inputs, seen: slice) -> dict[str, Array]:
    given = {"sentence": inputs.sentence, "words": inputs.words}
    if inputs.video is not None:
        given["video"] = inputs.video[seen]
    return {name: rows for name, rows in given.items() if rows is not None}


def read(graphs: Graphs, question: Question) -> tuple[ClipOutputs, Found]:
    """Answer a question on a video of any length.

    Args:
        graphs: the graphs of the network.
        question: the question, on L clips. Without a similarity, scores are not corrected.

    Returns:
        The outputs of the fusion for all clips, and the moments.
    """
    return read_all(graphs, [question])[0]


def read_all(graphs: Graphs, questions: Sequence[Question]) -> list[tuple[ClipOutputs, Found]]:
    """Answer several questions; see `read`. Windows of one length run together.

    Args:
        graphs: the graphs of the network.
        questions: the questions.
    """
    cuts = [_cut(len(one), read_window(graphs.config, one.clip_length)) for one in questions]
    parts = (
        _Part(inputs_of(question.part(part), graphs.config), part, len(question))
        for question, cut in zip(questions, cuts, strict=True)
        for part in cut
    )
    read = _read_parts(graphs, parts)
    return [
        _joined_answer(graphs, question, cut, list(itertools.islice(read, len(cut))))
        for question, cut in zip(questions, cuts, strict=True)
    ]


def _cut(clips: int, window: int) -> list[slice]:
    return [slice(0, clips)] if clips <= window else list(_overlapping(clips, window))


def _joined_answer(
    graphs: Graphs,
    question: Question,
    parts: list[slice],
    windows: list[tuple[ClipOutputs, Found]],
) -> tuple[ClipOutputs, Found]:
    """Join what the windows of one question say."""
    if len(parts) == 1:
        return windows[0]
    known = question.similarity if question.has_similarity else np.zeros(len(question))
    similarity = np.asarray(known, np.float64)
    less = MATCH_GAP * gaps(similarity, parts)
    field = _joined([_dimmed(field, x) for (field, _), x in zip(windows, less, strict=True)], parts)
    best = windows[int(less.argmin())][0]
    found = [
        Found(one.spans, one.scores - x + STANDING * standing(similarity, one.spans))
        for one, x in zip(of_own_part([found for _, found in windows], parts), less, strict=True)
    ]
    window = read_window(graphs.config, question.clip_length)
    (whole,) = fuse_all(graphs, [inputs_of(question, graphs.config)], decodes=False)
    found.append(find_long(whole, window, graphs.config))
    return replace(field, presence=best.presence), _all(found)


def gaps(similarity: npt.NDArray[np.floating], parts: Sequence[slice]) -> npt.NDArray[np.float64]:
    """Compute how much less the best clips of each part match than the best clips of the video.

    The unit is the standard deviation of the similarity within a part. This unit changes little if
    the video repeats itself or contains other videos.

    Args:
        similarity: (L,) similarity of each clip and the query.
        parts: P parts of the clips.

    Returns:
        (P,), at least 0.
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
    """Measure how much higher each span stands in the whole video than among the clips around it.

    Args:
        similarity: (L,) similarity of each clip and the query, L > 0.
        spans: (K, 2) in clips. If a span covers part of a clip, the whole clip counts.

    Returns:
        (K,) difference of two numbers. Each number is the mean similarity of the span, in standard
        deviations from a mean: first from the mean of the whole video, then from the mean of the
        `CLIPS_AROUND` clips around the middle of the span.
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


class _Part(NamedTuple):
    """One part of the clips of a video, which is read like a whole video."""

    inputs: Inputs
    clips: slice
    of: int  # number of clips of the whole video


def _read_parts(graphs: Graphs, parts: Iterable[_Part]) -> Iterator[tuple[ClipOutputs, Found]]:
    """Read parts like whole videos; leave out slots that the borders of a part cut.

    Some parts run together. What only the decoder reads is dropped before the next parts run.
    """
    parts = iter(parts)
    while some := list(itertools.islice(parts, PARTS_TOGETHER)):
        fields = fuse_all(graphs, [part.inputs for part in some], window=sys.maxsize)
        slots = [None] * len(some) if graphs.config.slots == "random" else _slots(graphs, fields)
        found = _decoded(graphs, fields, slots, [part.inputs.clip_length for part in some])
        for field, made, own, part in zip(fields, found, slots, some, strict=True):
            yield field.without_decoder_inputs(), _moved(made, own, part)


def _slots(graphs: Graphs, fields: Sequence[ClipOutputs]) -> list[Array | None]:
    """Choose the slots (K, 2) of each video; videos of one length together."""
    config = graphs.config
    by_length: dict[int, list[int]] = {}
    for number, field in enumerate(fields):
        by_length.setdefault(len(field), []).append(number)
    chosen: dict[int, Array] = {}
    for clips, places in by_length.items():
        for start in range(0, len(places), max(CLIPS_TOGETHER // clips, 1)):
            some = places[start : start + max(CLIPS_TOGETHER // clips, 1)]
            chances = logistic(np.stack([fields[i].pattern for i in some]))
            mask = np.ones((len(some), clips), dtype=bool)
            made = pattern_slots(chances, mask, config.levels, config.most_slots)
            chosen.update((i, made.spans[row, made.mask[row]]) for row, i in enumerate(some))
    return [chosen[number] for number in range(len(fields))]


def _moved(found: Found, slots: Array | None, part: _Part) -> Found:
    """Count the clips from the start of the video; leave out slots that a border cuts."""
    spans, scores = found
    if slots is not None:
        whole = (slots[:, 0] > 0) | (part.clips.start == 0)
        whole &= (slots[:, 1] < len(part.inputs)) | (part.clips.stop == part.of)
        spans, scores = spans[whole], scores[whole]
    return Found(spans + part.clips.start, scores)


def _overlapping(clips: int, window: int) -> Iterator[slice]:
    """Yield parts that overlap by half, so that one part holds each moment of half their length."""
    hop = window // 2
    for start in range(0, max(clips - hop, 1), hop):
        yield slice(start, min(start + window, clips))


def _dimmed(field: ClipOutputs, less: float) -> ClipOutputs:
    return replace(field, pattern=field.pattern - less, saliency=field.saliency - less)


def _joined(fields: Sequence[ClipOutputs], parts: Sequence[slice]) -> ClipOutputs:
    """Join the parts: each clip comes from the part whose borders are farther from the clip."""
    own = [
        field.part(slice(start - part.start, end - part.start))
        for field, part, (start, end) in zip(fields, parts, _own_parts(parts), strict=True)
    ]
    return _concatenated(own)


def _own_parts(parts: Sequence[slice]) -> list[tuple[int, int]]:
    """Return [start, end) of the clips whose distance from the borders is greatest in each part."""
    edges = [
        0,
        *((one.stop + next_.start) // 2 for one, next_ in itertools.pairwise(parts)),
        parts[-1].stop,
    ]
    return list(itertools.pairwise(edges))


def of_own_part(found: Sequence[Found], parts: Sequence[slice]) -> list[Found]:
    """Leave out moments that the next or the previous part reads better.

    Parts overlap by half, so two parts find the same moment, each with its own ends and score. The
    better reading is that of the part in which the middle of the moment is farther from the
    borders. The other reading is left out if both overlap with an IoU of at least `SAME_MOMENT`.

    Args:
        found: what each part found, spans in clips of the whole video.
        parts: the clips of each part, in order of time.

    Returns:
        What is left of each part's moments, in the same order.
    """
    owned = [
        (middle >= start) & (middle < end)
        for middle, (start, end) in zip(
            (one.spans.mean(axis=1) for one in found), _own_parts(parts), strict=True
        )
    ]
    kept = []
    for number, one in enumerate(found):
        keep = owned[number].copy()
        beside = [n for n in (number - 1, number + 1) if 0 <= n < len(found)]
        better = np.concatenate([found[n].spans[owned[n]] for n in beside])
        iou = span_iou(one.spans[~keep, None], better[None])
        keep[~keep] = iou.max(axis=1, initial=0.0) < SAME_MOMENT
        kept.append(Found(one.spans[keep], one.scores[keep]))
    return kept


def _all(found: Sequence[Found]) -> Found:
    return Found(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def find_long(field: ClipOutputs, least: int, config: ModelConfig) -> Found:
    """Find the level sets of the whole video that are longer than `least` clips.

    The network was not trained on such long moments. So their score does not come from the decoder;
    it is the expected IoU, computed from the pattern.

    Args:
        field: outputs of the fusion for L clips.
        least: length in clips.
        config: the head's configuration.

    Returns:
        Spans (K, 2) in clips and scores (K,).
    """
    mask = np.ones((1, len(field)), dtype=bool)
    # An end lies at most half a clip outside of its first or last clip.
    found = level_sets(_chances(field), mask, config.levels, least=max(least - 1, 0))
    long = np.flatnonzero(found.right - found.left > least)
    kept = long[np.argsort(-found.persistence[long], kind="stable")[: config.most_slots]]
    spans = np.clip(np.stack([found.left[kept], found.right[kept]], axis=1), 0, len(field))
    expected = _expected_iou(_chances(field)[0, 0], found.start[kept], found.end[kept])
    log_odds = np.log(expected) - np.log1p(-expected)
    return Found(spans.astype(np.float32), log_odds.astype(np.float32))


def _expected_iou(
    chances: npt.NDArray[np.floating], start: npt.NDArray[np.int_], end: npt.NDArray[np.int_]
) -> npt.NDArray[np.floating]:
    """Return the expected IoU (K,) of each span [start, end) with its moment.

    `chances` (L,) are the probabilities that each clip belongs to a moment. Inside a span, the sum
    of `chances` is the expected number of its clips that belong to the moment. Around the span, the
    sum of `chances` (up to half its length on each side) is the expected number of clips that the
    span misses. The result is at most the median probability in the span: otherwise several short
    moments would count as one long moment.
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


def _decoded(
    graphs: Graphs,
    fields: Sequence[ClipOutputs],
    slots: Sequence[Array | None],
    clip_lengths: Sequence[float],
) -> list[Found]:
    """Decode the slots of each video; None: random slots. Videos of one length run together."""
    most = max((len(own) for own in slots if own is not None), default=0)
    given = []
    for field, own, clip_length in zip(fields, slots, clip_lengths, strict=True):
        one = {
            "features": field.features,
            "curves": field.curves,
            "clip_length": np.asarray(clip_length),
        }
        if own is not None:
            wide = most if graphs.takes_many else len(own)
            one |= _padded(own, wide)
        given.append(one)
    made = run_all(graphs, "decode", given)
    kept = [
        len(scores) if own is None else len(own)
        for own, (_, scores) in zip(slots, made, strict=True)
    ]
    return [Found(spans[:k], scores[:k]) for k, (spans, scores) in zip(kept, made, strict=True)]


def _padded(slots: Array, wide: int) -> dict[str, Array]:
    """Add slots that the mask leaves out, up to a number of slots."""
    padded = np.tile(np.array([0.0, 1.0], np.float32), (wide, 1))  # they have a length, too
    padded[: len(slots)] = slots
    return {"slots": padded, "slot_mask": (np.arange(wide) < len(slots)).astype(np.float32)}


Given = TypeVar("Given")
Made = TypeVar("Made")


def in_threads(work: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    """Call a function for each of several inputs, on two cores if there are two."""
    if len(given) < 2 or (os.cpu_count() or 1) < 2:
        return [work(one) for one in given]
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, given))


def _chances(field: ClipOutputs) -> npt.NDArray[np.floating]:
    """Return the pattern (1, 4, L) as probabilities."""
    return logistic(field.pattern)[None]

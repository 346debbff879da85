"""The QVHighlights protocol: moment retrieval and highlight detection.

Lei, Berg, Bansal, "QVHighlights: Detecting Moments and Highlights in Videos via Natural Language
Queries", NeurIPS 2021. The rules are the rules of the published evaluator; the names of the results
are spelled as in its files. All results are percentages, not rounded; None if no query is left to
average over. `docs/evaluation.md` says where rdmf differs, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from rdmf_cli.evaluation.overlap import Array, Windows
from rdmf_cli.evaluation.retrieval import (
    LENGTH_GROUPS,
    RECALL_THRESHOLDS,
    Percent,
    by_length,
    mean_average_precision,
    moment_scores,
    percent,
    recall,
)

SALIENCY_LEVELS = {"Fair": 2, "Good": 3, "VeryGood": 4}
"""The lowest annotator rating (0 to 4) that makes a clip a highlight."""

CLIP_LENGTH = 2.0
ANNOTATORS = 3
MOST_CLIPS = 1_000_000  # the largest number of clips to score at once, over all queries

Scores = Sequence[float] | npt.NDArray[np.floating[Any]]


def recall_at_one(
    predicted: Sequence[Windows],
    truths: Sequence[Windows],
    thresholds: Sequence[float] = RECALL_THRESHOLDS,
) -> dict[str, Percent]:
    """Compute R1@t: the share of queries whose first prediction has an IoU of t or more.

    Args:
        predicted: (P, 3) [start, end, score] of each of Q queries, seconds, in list order.
        truths: (G, 2) [start, end] of each query, seconds.
        thresholds: values of t.

    Returns:
        The share in per cent, by threshold. A query without predictions counts as missed.
    """
    return recall(predicted, truths, thresholds)


def moment_metrics(predicted: Sequence[Windows], truths: Sequence[Windows]) -> dict[str, Any]:
    """Score moment retrieval by length groups; the arguments are the same as in `recall_at_one`.

    Queries without a true window, (0, 2), are in no group.

    Returns:
        {"full" | "short" | "middle" | "long": {"MR-mAP", "MR-R1", "MR-R5", "MR-mIoU", "queries"}}
        in per cent.
    """
    return by_length(predicted, truths, _moment_scores)


def _moment_scores(predicted: Sequence[Windows], truths: Sequence[Windows]) -> dict[str, Any]:
    average = mean_average_precision(predicted, truths)
    return {"MR-mAP": average, **moment_scores(predicted, truths)}


def relevance(
    duration: float,
    clip_ids: Sequence[int] | npt.NDArray[np.int_],
    ratings: Sequence[Sequence[float]] | Array,
    clip_length: float = CLIP_LENGTH,
) -> Array:
    """Spread annotator ratings over all clips of a video.

    Args:
        duration: seconds.
        clip_ids: (n,) the clips that were rated. A number past the last clip is left out
            (annotations may name one such clip).
        ratings: (n, 3) ratings from 0 to 4.
        clip_length: seconds.

    Returns:
        (C, 3) with C = int(duration / clip_length); 0 for clips that were not rated.
    """
    matrix = np.zeros((int(duration / clip_length), ANNOTATORS))
    ids, rows = np.asarray(clip_ids, dtype=np.int_), np.reshape(ratings, (-1, ANNOTATORS))
    matrix[ids[ids < len(matrix)]] = rows[ids < len(matrix)]
    return matrix


def _stack_clips(rows: Sequence[Array], clips: Sequence[int], fill: float) -> Array:
    """Return rows (Q, C, ...), each cut or zero-padded to its number of clips; `fill` beyond."""
    stacked = np.full((len(rows), max(clips, default=0), *rows[0].shape[1:]), fill)
    for target, row, count in zip(stacked, rows, clips, strict=True):
        target[:count] = 0
        target[: min(len(row), count)] = row[:count]
    return stacked


def interpolated_precision(scores: Array, labels: npt.NDArray[np.bool_]) -> Array:
    """Average interpolated precision over the distinct values of recall, with equal weights.

    Clips of equal score enter together, so they add at most one value of recall.

    Args:
        scores: (Q, C), -inf for clips that do not exist.
        labels: (Q, C, A) True at the highlights of an annotator.

    Returns:
        (Q, A).
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    scores = np.take_along_axis(scores, order, axis=1)
    hits = np.cumsum(np.take_along_axis(labels, order[..., None], axis=1), axis=1)
    last = np.ones(scores.shape, dtype=bool)  # the last clip of a run of equal scores
    last[:, :-1] = scores[:, 1:] != scores[:, :-1]
    ranks = np.arange(1, scores.shape[1] + 1)[:, None]
    precision = np.where(last[..., None], hits / ranks, 0)
    monotone = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    reached = np.maximum.accumulate(np.where(last[..., None], hits, 0), axis=1)
    steps = np.diff(reached, axis=1, prepend=0) > 0
    mean: Array = (monotone * steps).sum(axis=1) / np.maximum(steps.sum(axis=1), 1)
    return mean


def highlight_map(saliency: Sequence[Scores], ratings: Sequence[Array], level: int) -> Percent:
    """Compute HL-mAP: the mean AP of the saliency over queries and annotators.

    Args:
        saliency: (T,) of each query, cut or zero-padded to the clips of the query.
        ratings: (C, 3) ratings of each query (`relevance`).
        level: lowest rating of a highlight. An annotator without highlights has an AP of 0; an
            annotator who rates all clips as highlights has an AP of 1.

    Returns:
        Per cent; None without queries.
    """
    return percent(highlight_precisions(saliency, ratings, level)) if saliency else None


def highlight_precisions(saliency: Sequence[Scores], ratings: Sequence[Array], level: int) -> Array:
    """Compute the AP of the saliency for each annotator, (Q, 3) in [0, 1]; at least one query."""
    clips = np.array([len(matrix) for matrix in ratings])
    together = max(MOST_CLIPS // max(int(clips.max()), 1), 1)
    parts = [slice(start, start + together) for start in range(0, len(ratings), together)]
    ap = [_highlight_ap(saliency[part], ratings[part], clips[part], level) for part in parts]
    return np.concatenate(ap)


def _highlight_ap(
    saliency: Sequence[Scores], ratings: Sequence[Array], clips: npt.NDArray[np.int_], level: int
) -> Array:
    """Return the AP (Q, A) of each query for each annotator."""
    rows = [np.asarray(row, dtype=np.float64) for row in saliency]
    scores = _stack_clips(rows, clips.tolist(), -inf)
    labels = _stack_clips(list(ratings), clips.tolist(), -1.0) >= level
    ap = interpolated_precision(scores, labels)
    all_rated = (labels.sum(axis=1) == clips[:, None]) & (clips[:, None] > 0)
    return np.where(all_rated, 1.0, ap)


def hit_at_one(saliency: Sequence[Scores], ratings: Sequence[Array], level: int) -> Percent:
    """Compute HIT@1: the share of queries whose best clip is a highlight for any annotator.

    Args:
        saliency: (T,) of each query; if several clips have the highest score, the first counts.
        ratings: (C, 3) ratings of each query (`relevance`); a clip past the last is a miss.
        level: lowest rating of a highlight.

    Returns:
        Per cent; None without queries.
    """
    return percent(top_hits(saliency, ratings, level))


def top_hits(saliency: Sequence[Scores], ratings: Sequence[Array], level: int) -> Array:
    """Return (Q,): 1 if the clip of highest score of the query is a highlight, else 0."""
    tops = [int(np.argmax(row)) for row in saliency]
    hits = [bool(np.any(m[top : top + 1] >= level)) for top, m in zip(tops, ratings, strict=True)]
    return np.asarray(hits, dtype=np.float64)


def highlight_metrics(saliency: Sequence[Scores], ratings: Sequence[Array]) -> dict[str, Any]:
    """Score highlight detection; for the arguments, (T,) and (C, 3) per query, see `highlight_map`.

    Returns:
        {"HL-min-Fair" | "HL-min-Good" | "HL-min-VeryGood": {"HL-mAP", "HL-Hit1"}} in per cent.
    """
    return {
        f"HL-min-{name}": {
            "HL-mAP": highlight_map(saliency, ratings, level),
            "HL-Hit1": hit_at_one(saliency, ratings, level),
        }
        for name, level in SALIENCY_LEVELS.items()
    }


def brief(metrics: dict[str, Any]) -> dict[str, Percent]:
    """Return the numbers of a paper's table, by the names of the published evaluator."""
    short: dict[str, Percent] = {}
    if "full" in metrics:
        full = metrics["full"]
        short = {
            f"MR-full-{name}@{t}": full[f"MR-{name}"][t]
            for name in ("R1", "R5")
            for t in ("0.3", "0.5", "0.7")
        }
        short["MR-full-mIoU"] = full["MR-mIoU"]
        short["MR-full-mAP"] = full["MR-mAP"]["average"]
        short |= {f"MR-full-mAP@{t}": full["MR-mAP"][t] for t in ("0.5", "0.75")}
        short |= {f"MR-{g}-mAP": metrics[g]["MR-mAP"]["average"] for g in LENGTH_GROUPS}
        short |= {f"MR-{g}-mIoU": metrics[g]["MR-mIoU"] for g in LENGTH_GROUPS}
    for level in (f"HL-min-{name}" for name in SALIENCY_LEVELS):
        if level in metrics:
            short |= {f"{level}-{k.removeprefix('HL-')}": v for k, v in metrics[level].items()}
    return short

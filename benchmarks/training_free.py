"""The training-free answer on QVHighlights-captions: fits its rates, compares it with smoothing.

    python benchmarks/training_free.py search --features DIR --log LOGS [--arm ARM] [--draws N]
    python benchmarks/training_free.py choose --features DIR --log LOGS [--rates FILE]
    python benchmarks/training_free.py report --features DIR [--rates FILE]

DIR holds features in the field's layout: train.jsonl, val.jsonl, video/<vid>.npz,
text/qid<qid>.npz; and text/background.npz, the sentences of rdmf_cli.channels.background through
the same encoder. `train` there is the official TEST split of QVHighlights with its ground truth,
`val` the official val; clip features are sentence embeddings of captions. Numbers compare within
this project only.

search draws settings at random (seeded, one JSON line a draw; run it again to go on), then jitters
the best ones; every arm gets the same candidates, rank and NMS and, run to its end, as many draws:

    rd         reaction-diffusion, as `rdmf query` runs it; every channel is a switch: a clip that
               matches well enough can stay lit
    diffusion  the same without the reaction: linear diffusion that stops at visual change
    gaussian   Gaussian smoothing at several scales

A draw is scored on train alone, five-fold by YouTube id: the linear rank is fitted on four parts
and scored on the fifth. choose takes the draw whose neighbourhood (it and its jittered copies)
scores best, fits its rank on all of train, and writes the rates of `rd` and, beside this script,
the settings of all arms. report scores val, with bootstrap intervals paired over queries.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import lsq_linear, minimize

from rdmf_cli.channels.background import Background, strongest
from rdmf_cli.channels.change import edge_weights, visual_change
from rdmf_cli.channels.similarity import coherence, standardise
from rdmf_cli.evaluation.detection import average_precision
from rdmf_cli.evaluation.overlap import iou_over_hull, stack, to_grid
from rdmf_cli.evaluation.qvhighlights import SALIENCY_LEVELS, hit_at_one, relevance
from rdmf_cli.fusion import threshold
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.heads.training_free.field import curves, fuse, match
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.heads.training_free.ranking import describe
from rdmf_cli.heads.training_free.rates import (
    FusionRates,
    PresenceRates,
    RankingRates,
    SaliencyRates,
    TrainingFreeRates,
    shipped_rates,
)
from rdmf_cli.moments.nms import span_iou, suppress
from rdmf_cli.moments.pattern import Candidates, level_sets
from rdmf_cli.moments.reading import Reading

CLIP_LENGTH = 2.0  # seconds, of QVHighlights
LEVELS = 16
OVERLAP = 0.7
REDUNDANCY = 0.2
MOMENTS = 10  # a query; what the metric looks at
FOLDS = 5
RIDGE = 1e-3  # of the standardised columns' covariance
YOUTUBE_ID = 11  # characters at the start of a video's name

RESAMPLES = 2000  # of the bootstrap
MEASURES = ("R1@0.5", "R1@0.7", "mAP", "HIT@1")
CHOSEN = Path(__file__).with_suffix(".json")

Setting = dict[str, Any]


# ------------------------------------------------------------------------------- data


@dataclass(frozen=True)
class Split:
    """Q queries padded to L clips.

    similarity, mask (Q, L); change (Q, L - 1); windows: true ones (Q, G, 2) in seconds, NaN
    padded; duration (Q,); youtube (Q,) id of what the video is cut from; clips: Q arrays (T, D)
    and queries (Q, D) of unit rows; rows: the annotations.
    """

    similarity: np.ndarray
    change: np.ndarray
    mask: np.ndarray
    windows: np.ndarray
    duration: np.ndarray
    youtube: np.ndarray
    rows: list[dict[str, Any]]
    clips: list[np.ndarray]
    queries: np.ndarray

    def __len__(self) -> int:
        return len(self.similarity)

    @cached_property
    def z(self) -> np.ndarray:
        return standardise(self.similarity, self.mask).astype(np.float32)

    @cached_property
    def fold(self) -> np.ndarray:
        """Part of train a query belongs to; videos of one YouTube id stay together."""
        names, number = np.unique(self.youtube, return_inverse=True)
        return (np.random.default_rng(0).permutation(len(names)) % FOLDS)[number]


def unit_rows(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float32)
    return x / (np.linalg.norm(x, axis=-1, keepdims=True) + 1e-5)


def load(features: Path, name: str) -> Split:
    """A split's similarities and visual change from its features, with the annotations."""
    rows = [json.loads(line) for line in (features / f"{name}.jsonl").open(encoding="utf-8")]
    files = {row["vid"]: features / "video" / f"{row['vid']}.npz" for row in rows}
    clips = {vid: unit_rows(np.load(file)["features"]) for vid, file in files.items()}
    texts = [np.load(features / "text" / f"qid{row['qid']}.npz")["pooler_output"] for row in rows]
    videos = [clips[row["vid"]] for row in rows]
    queries = unit_rows(np.stack(texts))
    return Split(
        similarity=padded([v @ q for v, q in zip(videos, queries, strict=True)]),
        change=padded([1 - (v[1:] * v[:-1]).sum(1) for v in videos]),
        mask=padded([np.ones(len(v), bool) for v in videos]),
        windows=padded([np.array(row["relevant_windows"], float) for row in rows], np.nan),
        duration=np.array([float(row["duration"]) for row in rows]),
        youtube=np.array([row["vid"][:YOUTUBE_ID] for row in rows]),
        rows=rows,
        clips=videos,
        queries=queries,
    )


def padded(arrays: list[np.ndarray], fill: float = 0) -> np.ndarray:
    longest = max(map(len, arrays))
    out = np.full((len(arrays), longest, *arrays[0].shape[1:]), fill, dtype=arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return out


# ------------------------------------------------------------------------------- arms


@dataclass(frozen=True)
class Arm:
    """One way from similarity to a pattern (Q, C, L), and how its settings are drawn."""

    pattern: Callable[[Split, Setting], np.ndarray]
    draw: Callable[[np.random.Generator], Setting]
    smooths_similarity: bool  # its pattern is in deviations, as the similarity is


def reacting(split: Split, setting: Setting) -> np.ndarray:
    return fuse(split.z, split.change, split.mask, fusion_rates(setting)).v


def fusion_rates(setting: Setting) -> FusionRates:
    return FusionRates.model_validate({k: v for k, v in setting.items() if k != "dark"})


LIT_FROM = 2.0
"""Deviations of similarity at which a clip must be able to stay lit (r >= r*), in every channel:
what fades everywhere would be a kind of smoothing, and no switch."""


def draw_reacting(rng: np.random.Generator) -> Setting:
    channels = int(rng.integers(1, 4))
    D_v = log_uniform(rng, 0.02, 0.5, channels)
    ratio = log_uniform(rng, 1, 16, channels)
    setting = {
        "D_v": D_v,
        "D_u": [min(0.5, d * q) for d, q in zip(D_v, ratio, strict=True)],
        "F": log_uniform(rng, 0.003, 0.3, channels),
        "k": log_uniform(rng, 0.01, 0.5, channels),
        "threshold": float(rng.uniform(-0.5, 1.8)),
        "softness": log_uniform(rng, 0.2, 1.5)[0],
        "seed": log_uniform(rng, 0.05, 1)[0],
        "cut": [None, log_uniform(rng, 0.7, 3)[0]][int(rng.random() < 0.8)],
        "steps": round(log_uniform(rng, 4, 40)[0]),
        "dilations": [(1,), (1, 2), (1, 2, 4)][rng.integers(3)],
    }
    margin = log_uniform(rng, 1, 30, channels)
    return {**setting, "reaction": [m * r for m, r in zip(margin, least(setting), strict=True)]}


def least(setting: Setting) -> list[float]:
    """The reaction of each channel from which on a clip at LIT_FROM stays lit."""
    rates = fusion_rates({**setting, "reaction": setting["F"]})
    return (threshold(rates.rates) / match(np.array(LIT_FROM), rates)).tolist()


def diffusing(split: Split, setting: Setting) -> np.ndarray:
    """States of linear diffusion after some numbers of steps: one channel each."""
    z = split.z.astype(np.float32)
    edges = edge_weights(split.change, split.mask, setting["cut"]).astype(np.float32)
    chain = Chain.of(z, mask=split.mask, edges=edges)
    states = [z]
    for _ in range(round(max(setting["steps"]))):
        states.append(states[-1] + np.float32(setting["D"]) * chain.laplacian(states[-1]))
    return np.stack([states[round(n)] for n in setting["steps"]], axis=1)


def draw_diffusing(rng: np.random.Generator) -> Setting:
    channels = int(rng.integers(1, 5))
    return {
        "D": float(rng.uniform(0.05, 0.5)),
        "cut": log_uniform(rng, 0.5, 20)[0],
        "steps": log_uniform(rng, 1, 64, channels),
    }


def smoothing(split: Split, setting: Setting) -> np.ndarray:
    return np.stack([gaussian(split.z, split.mask, sigma) for sigma in setting["sigma"]], axis=1)


def gaussian(z: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """(Q, L): weighted mean over the real clips around each."""
    clips = np.arange(z.shape[1])
    kernel = np.exp(-0.5 * ((clips[:, None] - clips) / sigma) ** 2).astype(np.float32)
    weight = mask.astype(np.float32) @ kernel
    return np.where(mask, z.astype(np.float32) @ kernel / np.maximum(weight, 1e-9), 0)


def draw_smoothing(rng: np.random.Generator) -> Setting:
    return {"sigma": log_uniform(rng, 0.3, 8, int(rng.integers(1, 5)))}


def draw_setting(arm: Arm, rng: np.random.Generator) -> Setting:
    return {**arm.draw(rng), "dark": float(rng.uniform(-2, 0))}


def log_uniform(rng: np.random.Generator, low: float, high: float, size: int = 1) -> list[float]:
    return np.exp(rng.uniform(np.log(low), np.log(high), size)).tolist()


ARMS = {
    "rd": Arm(reacting, draw_reacting, False),
    "diffusion": Arm(diffusing, draw_diffusing, True),
    "gaussian": Arm(smoothing, draw_smoothing, True),
}


# ------------------------------------------------------------- candidates, rank, scores


@dataclass(frozen=True)
class Described:
    """Candidates of a split, their columns and the IoU each has with the truth."""

    candidates: Candidates
    columns: np.ndarray
    iou: np.ndarray

    @property
    def signs(self) -> np.ndarray:
        """What lies inside may only help a candidate, what lies around it only harm it."""
        curves = (self.columns.shape[1] - 2) // 2
        return np.r_[np.ones(curves), -np.ones(curves), 0, 0]


def described(split: Split, arm: Arm, setting: Setting) -> Described:
    pattern = arm.pattern(split, setting)
    found = level_sets(pattern, split.mask, LEVELS)
    seen = curves(split.z, pattern)
    unlit = setting["dark"] if arm.smooths_similarity else 0.0
    dark = np.array([setting["dark"], *[unlit] * pattern.shape[1]])
    columns = describe(seen, split.mask, found, CLIP_LENGTH, dark)
    spans = seconds(split, found.row, found.start, found.end)
    return Described(found, columns, true_iou(split, found.row, spans))


def true_iou(split: Split, row: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """(n,): the highest IoU a span has with a true window; few queries have more than two."""
    best = np.zeros(len(row))
    count = np.isfinite(split.windows[..., 0]).sum(axis=1)[row]
    for n in range(split.windows.shape[1]):
        has = np.flatnonzero(count > n)
        best[has] = np.maximum(best[has], span_iou(spans[has], split.windows[row[has], n]))
    return best


def seconds(split: Split, row: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(n, 2): whole clips, as the field rounds predictions, within the video."""
    spans = np.stack([start, end], axis=1) * CLIP_LENGTH
    return np.minimum(spans, split.duration[row, None])


@dataclass(frozen=True)
class NormalEquations:
    """What least squares needs of columns x and target y: their count, sums and products."""

    products: np.ndarray  # of [1, x, y] with itself

    @classmethod
    def of(cls, columns: np.ndarray, target: np.ndarray) -> NormalEquations:
        joint = np.column_stack([np.ones(len(target)), columns, target])
        return cls(joint.T @ joint)

    def solve(self, signs: np.ndarray) -> tuple[np.ndarray, float]:
        """Weights and offset of least squares with a little ridge, each of its allowed sign."""
        mean = self.products[0] / self.products[0, 0]
        covariance = self.products / self.products[0, 0] - np.outer(mean, mean)
        scale = np.sqrt(np.maximum(np.diag(covariance)[1:-1], 0)) + 1e-9
        x = covariance[1:-1, 1:-1] / np.outer(scale, scale) + RIDGE * np.eye(len(scale))
        root = np.linalg.cholesky(x)
        aim = np.linalg.solve(root, covariance[1:-1, -1] / scale)
        bounds = np.where(signs > 0, 0, -np.inf), np.where(signs < 0, 0, np.inf)
        weights = lsq_linear(root.T, aim, bounds).x / scale
        return weights, float(mean[-1] - mean[1:-1] @ weights)


def fit(data: Described) -> tuple[np.ndarray, float]:
    """The rank of a split: weights and offset."""
    return NormalEquations.of(data.columns, data.iou).solve(data.signs)


def out_of_fold(split: Split, data: Described) -> np.ndarray:
    """(n,) predicted IoU, each by a rank fitted on the other folds."""
    fold = split.fold[data.candidates.row]
    parts = [np.flatnonzero(fold == part) for part in range(FOLDS)]
    products = [NormalEquations.of(data.columns[part], data.iou[part]).products for part in parts]
    scores = np.zeros(len(fold))
    for part, own in zip(parts, products, strict=True):
        weights, offset = NormalEquations(sum(products) - own).solve(data.signs)
        scores[part] = data.columns[part] @ weights + offset
    return scores


def predictions(split: Split, found: Candidates, scores: np.ndarray) -> np.ndarray:
    """(Q, 10, 3) [start, end, score], NaN padded: the moments that stay after NMS."""
    spans = seconds(split, found.row, found.start, found.end)
    row, kept, left = suppress(found.row, spans, scores, OVERLAP, MOMENTS, REDUNDANCY)
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    out = np.full((len(split), MOMENTS, 3), np.nan)
    out[row, rank] = np.column_stack([spans[kept], left])
    return out


def moment_scores(split: Split, predicted: np.ndarray) -> np.ndarray:
    """(Q, 3) per query, in per cent: R1@0.5, R1@0.7 and AP."""
    first = iou_over_hull(predicted[:, :1], split.windows).max(axis=(1, 2))
    ap = average_precision(predicted[:, :MOMENTS], split.windows).mean(axis=1)
    return 100 * np.column_stack([first >= 0.5, first >= 0.7, ap])


# ------------------------------------------------------------------------------ search


JITTER = 0.1
"""Size of a jittered copy's change: relative, absolute for what is in deviations."""

LEADERS, COPIES = 20, 10
"""How many of the best draws are jittered, and how often each."""

MOST = {"D": 0.5, "D_u": 0.5, "D_v": 0.5}


def jittered(setting: Setting, rng: np.random.Generator) -> Setting:
    """A neighbour of a setting; what is not a rate (dilations, no cut) stays."""
    return {name: jitter(name, value, rng) for name, value in setting.items()}


def jitter(name: str, value: Any, rng: np.random.Generator) -> Any:
    if value is None or name == "dilations":
        return value
    if name in ("threshold", "dark"):
        return value + JITTER * rng.normal()
    moved = np.minimum(
        value * np.exp(JITTER * rng.normal(size=np.shape(value))), MOST.get(name, np.inf)
    )
    if isinstance(value, int):
        return max(1, round(float(moved)))
    return moved.tolist()


def per_query(split: Split, arm: Arm, setting: Setting) -> np.ndarray:
    """(Q, 3) R1@0.5, R1@0.7, AP on train, each query by a rank that never saw its video."""
    data = described(split, arm, setting)
    found = predictions(split, data.candidates, out_of_fold(split, data))
    return moment_scores(split, found)


def objective(scores: np.ndarray) -> np.ndarray:
    """What is searched for, from (..., 3): AP and the mean of both recalls, equally."""
    return np.asarray(scores) @ (0.25, 0.25, 0.5)


def search(split: Split, name: str, draws: int, seed: int, log: Path) -> None:
    """Draw `draws` settings, then jitter the leaders; skips what the log already has."""
    known = {row["draw"]: row for row in read_log(log)}
    todo = ((f"{n}", None) for n in range(draws))
    score_all(split, name, seed, log, known, todo)
    leaders = sorted((r for r in known.values() if "." not in r["draw"]), key=by_objective)
    copies = ((f"{r['draw']}.{c}", r) for r in leaders[-LEADERS:] for c in range(COPIES))
    score_all(split, name, seed, log, known, copies)


def by_objective(row: dict[str, Any]) -> float:
    return float(objective(row["scores"]))


def score_all(
    split: Split,
    name: str,
    seed: int,
    log: Path,
    known: dict[str, dict[str, Any]],
    todo: Iterable[tuple[str, dict[str, Any] | None]],
) -> None:
    for draw, parent in todo:
        if draw in known:
            continue
        rng = np.random.default_rng([seed, *map(ord, name), *map(int, draw.split("."))])
        setting = jittered(parent["setting"], rng) if parent else draw_setting(ARMS[name], rng)
        begun = time.perf_counter()
        scores = per_query(split, ARMS[name], setting).mean(axis=0).tolist()
        known[draw] = {"draw": draw, "setting": setting, "scores": scores}
        line = {**known[draw], "seconds": round(time.perf_counter() - begun, 3), "seed": seed}
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_log(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.open(encoding="utf-8")] if log.exists() else []


# ------------------------------------------------------------------------- calibration


def neighbourhoods(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The leaders of a log, best first by the mean objective of each and its jittered copies."""
    values: dict[str, list[float]] = {}
    for row in log:
        values.setdefault(row["draw"].split(".")[0], []).append(by_objective(row))
    mean = {draw: float(np.mean(v)) for draw, v in values.items() if len(v) > COPIES}
    leaders = [{**row, "neighbourhood": mean[row["draw"]]} for row in log if row["draw"] in mean]
    return sorted(leaders, key=lambda row: row["neighbourhood"], reverse=True)


def numbers(x: np.ndarray) -> tuple[float, ...]:
    """As a file holds them; what is 0 but for the solver's tolerance is 0."""
    return tuple(float(n) if abs(n) > 1e-6 else 0.0 for n in x)


def fit_log_odds(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, ...], float]:
    """Logistic regression of y (n,) in {0, 1} on x (n, k): weights, none below 0, and offset."""

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        odds = x @ w[:-1] + w[-1]
        error = 0.5 * (1 + np.tanh(odds / 2)) - y
        value = np.mean(np.logaddexp(0, odds) - y * odds)
        return value, np.r_[x.T @ error, error.sum()] / len(y)

    bounds = [(0, None)] * x.shape[1] + [(None, None)]
    w = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    return numbers(w[:-1]), float(w[-1])


def fit_saliency(split: Split, seen: np.ndarray) -> SaliencyRates:
    """Whether a clip lies in a true window, from the curves (Q, K, L)."""
    centre = (np.arange(split.mask.shape[1]) + 0.5) * CLIP_LENGTH
    start, end = split.windows[..., 0, None], split.windows[..., 1, None]
    relevant = np.any((start <= centre) & (centre < end), axis=1)
    x = seen.swapaxes(1, 2)[split.mask]
    weights, offset = fit_log_odds(x, relevant[split.mask].astype(float))
    return SaliencyRates(curves=weights, offset=offset)


def evidence(split: Split, background: np.ndarray) -> np.ndarray:
    """(2, Q, 2): coherence and excess over the background, for each query on its own video and,
    then, for a query of another YouTube id."""
    rng = np.random.default_rng(0)
    out = np.zeros((2, len(split), 2))
    for n, rows in enumerate(split.clips):
        other = rng.choice(np.flatnonzero(split.youtube != split.youtube[n]))
        over = Background.of(rows @ background.T)
        for kind, query in enumerate((n, other)):
            s, mask = rows @ split.queries[query], np.ones(len(rows), bool)
            held_together = coherence(standardise(s, mask), mask)
            out[kind, n] = held_together, over.excess(float(strongest(s)))
    return out


def fit_presence(found: np.ndarray) -> PresenceRates:
    """From evidence (2, Q, k) of shown and not shown queries."""
    shown = np.repeat([1.0, 0.0], found.shape[1])
    weights, offset = fit_log_odds(found.reshape(-1, found.shape[2]), shown)
    return PresenceRates(evidence=weights, offset=offset)


def fitted_rates(split: Split, row: dict[str, Any], background: np.ndarray) -> TrainingFreeRates:
    """The rates of a draw of the arm `rd`, its rank and calibration fitted on the split."""
    setting = row["setting"]
    data = described(split, ARMS["rd"], setting)
    weights, offset = fit(data)
    curve = len(data.signs) // 2 - 1
    seen = curves(split.z, ARMS["rd"].pattern(split, setting))
    found = evidence(split, background)
    return TrainingFreeRates(
        fusion=fusion_rates(setting),
        ranking=RankingRates(
            inside=numbers(weights[:curve]),
            around=numbers(weights[curve : 2 * curve]),
            sqrt_seconds=float(weights[-2]),
            log_seconds=float(weights[-1]),
            offset=offset,
            dark=setting["dark"],
            levels=LEVELS,
            overlap=OVERLAP,
            redundancy=REDUNDANCY,
        ),
        saliency=fit_saliency(split, seen),
        presence=fit_presence(found[..., :1]),
        presence_over_background=fit_presence(found),
        made_by=made_by(row),
    )


def winner(logs: Path, name: str) -> dict[str, Any]:
    """The draw of an arm that won; of a search that was stopped before it jittered, the best."""
    log = read_log(logs / f"{name}.jsonl")
    leaders = neighbourhoods(log) or sorted(log, key=by_objective, reverse=True)
    return {**leaders[0], "draws": len(log)}


def choose(split: Split, logs: Path, background: np.ndarray, rates: Path) -> None:
    """Write the settings that won, and the rates file of `rd`."""
    winners = {name: winner(logs, name) for name in ARMS}
    CHOSEN.write_text(json.dumps(winners, indent=1) + "\n", encoding="utf-8")
    fitted = fitted_rates(split, winners["rd"], background)
    rates.write_text(fitted.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")


def made_by(row: dict[str, Any]) -> dict[str, Any]:
    """What a rates file says of its making."""
    return {
        "command": "benchmarks/training_free.py search, then choose",
        "data": "QVHighlights-captions train: the official test split, 1,542 queries; "
        "sentence embeddings (all-MiniLM-L6-v2) of clip captions and of plain queries",
        **{key: row[key] for key in ("seed", "draws", "draw")},
        "train_out_of_fold": {
            name: round(score, 2) for name, score in zip(MEASURES, row["scores"], strict=False)
        },
    }


# ------------------------------------------------------------------------------ report


def first_hits(split: Split, saliency: list[np.ndarray]) -> np.ndarray:
    """(Q,) 100 where the clip of highest saliency is Very Good to an annotator, else 0."""
    hits = []
    for row, scores in zip(split.rows, saliency, strict=True):
        marks = relevance(row["duration"], row["relevant_clip_ids"], row["saliency_scores"])
        hits.append(hit_at_one([scores], [marks], SALIENCY_LEVELS["VeryGood"]))
    return np.array(hits)


def real_clips(split: Split, curve: np.ndarray) -> list[np.ndarray]:
    return [row[mask] for row, mask in zip(curve, split.mask, strict=True)]


def arm_on(train: Split, val: Split, arm: Arm, setting: Setting) -> np.ndarray:
    """(Q, 4) on val, the rank and the saliency of the arm fitted on all of train."""
    known, asked = described(train, arm, setting), described(val, arm, setting)
    weights, offset = fit(known)
    found = predictions(val, asked.candidates, asked.columns @ weights + offset)
    lit = fit_saliency(train, curves(train.z, arm.pattern(train, setting)))
    saliency = np.einsum("k,qkl->ql", lit.curves, curves(val.z, arm.pattern(val, setting)))
    return np.column_stack([moment_scores(val, found), first_hits(val, real_clips(val, saliency))])


def readings(split: Split, head: TrainingFree, background: np.ndarray) -> list[Reading]:
    """What `rdmf query` would answer, query by query."""
    return [
        head.read_similarity(
            rows @ query,
            visual_change(rows),
            clip_length=CLIP_LENGTH,
            duration=duration,
            background=Background.of(rows @ background.T),
        )
        for rows, query, duration in zip(split.clips, split.queries, split.duration, strict=True)
    ]


def shipped_on(split: Split, read: list[Reading], grid: bool) -> np.ndarray:
    """(Q, 4) of the shipped head; its edges as they are, or on the clip grid as the field does."""
    found = stack([np.column_stack([r.spans, r.raw_scores]) for r in read], 3)
    found = to_grid(found, CLIP_LENGTH, limit=150.0) if grid else found
    hits = first_hits(split, [r.saliency_raw for r in read])
    return np.column_stack([moment_scores(split, found), hits])


def bootstrap(differences: np.ndarray) -> list[tuple[float, float]]:
    """95 % interval of the mean of each column, queries drawn with replacement."""
    rng = np.random.default_rng(0)
    draws = rng.integers(len(differences), size=(RESAMPLES, len(differences)))
    means = np.array([differences[draw].mean(axis=0) for draw in draws])
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """How often a positive scores above a negative; ties count half."""
    above = (positive[:, None] > negative).mean() + (positive[:, None] == negative).mean() / 2
    return float(above)


def print_presence(split: Split, rates: TrainingFreeRates, background: np.ndarray) -> None:
    shown, missing = evidence(split, background)
    fits = {"shape alone": rates.presence, "over background": rates.presence_over_background}
    for name, fitted in fits.items():
        weights = np.array(fitted.evidence)
        area = auroc(shown[:, : len(weights)] @ weights, missing[:, : len(weights)] @ weights)
        print(f"presence, own query against another video's, {name}: AUROC {area:.3f}")


def print_calibration(split: Split, read: list[Reading]) -> None:
    first = [stack([r.spans[:1] for r in read], 2), split.windows]
    got = iou_over_hull(*first).max(axis=(1, 2)).mean()
    print(f"first moment: expected IoU {np.mean([r.scores[0] for r in read]):.3f}, got {got:.3f}")


def report(train: Split, val: Split, background: np.ndarray, rates: Path) -> None:
    """A table of val for every arm, and how `rd` differs from each."""
    head = TrainingFree.load(rates)
    read = readings(val, head, background)
    winners = json.loads(CHOSEN.read_text(encoding="utf-8"))
    table = {name: arm_on(train, val, ARMS[name], winners[name]["setting"]) for name in ARMS}
    table["rdmf query, grid"] = shipped_on(val, read, grid=True)
    table["rdmf query"] = shipped_on(val, read, grid=False)
    print(f"val, {len(val)} queries, per cent      " + "  ".join(f"{m:>8}" for m in MEASURES))
    for name, scores in table.items():
        print(f"{name:32}" + "  ".join(f"{x:8.2f}" for x in scores.mean(axis=0)))
    for name in ("diffusion", "gaussian"):
        difference = table["rd"] - table[name]
        cells = zip(difference.mean(axis=0), bootstrap(difference), strict=True)
        print(f"rd - {name}: " + "; ".join(f"{d:+.2f} [{a:+.2f}, {b:+.2f}]" for d, (a, b) in cells))
    print_calibration(val, read)
    print_presence(val, head.rates, background)


# ------------------------------------------------------------------------ command line


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=["search", "choose", "report"])
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--log", type=Path, default=Path("runs/training_free"))
    parser.add_argument("--arm", choices=list(ARMS), action="append", help="default: all")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rates", type=Path, default=shipped_rates())
    return parser.parse_args()


def main() -> None:
    args = arguments()
    train = load(args.features, "train")
    if args.task == "search":
        args.log.mkdir(parents=True, exist_ok=True)
        for name in args.arm or ARMS:
            search(train, name, args.draws, args.seed, args.log / f"{name}.jsonl")
        return
    sentences = np.load(args.features / "text" / "background.npz")["pooler_output"]
    if args.task == "choose":
        choose(train, args.log, unit_rows(sentences), args.rates)
    else:
        report(train, load(args.features, "val"), unit_rows(sentences), args.rates)


if __name__ == "__main__":
    main()

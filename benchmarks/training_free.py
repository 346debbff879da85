"""Compare the training-free head with the best smoothing, on QVHighlights-captions val.

    python benchmarks/training_free.py --features DIR [--rates FILE]

DIR holds features in the field's layout: train.jsonl, val.jsonl, video/<vid>.npz,
text/qid<qid>.npz; and text/background.npz, the sentences of rdmf_cli.channels.background from the
same encoder. The settings of all arms come from `weights/recipes/rates/settings.json`, which
`python -m recipes.rates` wrote. Bootstrap intervals are paired over queries.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.change import visual_change
from rdmf_cli.evaluation.overlap import iou_over_hull, stack, to_grid
from rdmf_cli.evaluation.qvhighlights import SALIENCY_LEVELS, hit_at_one, relevance
from rdmf_cli.heads.training_free.field import curves
from rdmf_cli.heads.training_free.head import SimilarityCurve, TrainingFree
from rdmf_cli.heads.training_free.rates import TrainingFreeRates, shipped_rates
from rdmf_cli.moments.reading import Reading

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "weights"))
from recipes.rates.arms import ARMS, Arm, Setting
from recipes.rates.data import Split, load, unit_rows
from recipes.rates.fit import MEASURES, evidence, fit_saliency
from recipes.rates.scoring import CLIP_LENGTH, described, fit, moment_scores, predictions
from recipes.rates.search import CHOSEN

RESAMPLES = 2000  # number of bootstrap resamples


def first_hits(split: Split, saliency: list[np.ndarray]) -> np.ndarray:
    """Return (Q,): 100 if an annotator rates the clip of highest saliency as Very Good, else 0."""
    hits = []
    for row, scores in zip(split.rows, saliency, strict=True):
        marks = relevance(row["duration"], row["relevant_clip_ids"], row["saliency_scores"])
        hits.append(hit_at_one([scores], [marks], SALIENCY_LEVELS["VeryGood"]))
    return np.array(hits)


def real_clips(split: Split, curve: np.ndarray) -> list[np.ndarray]:
    return [row[mask] for row, mask in zip(curve, split.mask, strict=True)]


def arm_on(train: Split, val: Split, arm: Arm, setting: Setting) -> np.ndarray:
    """Return (Q, 4) scores on val, with the ranking and the saliency of the arm fitted on train."""
    known, asked = described(train, arm, setting), described(val, arm, setting)
    weights, offset = fit(known)
    found = predictions(val, asked.candidates, asked.columns @ weights + offset)
    lit = fit_saliency(train, curves(train.z, arm.pattern(train, setting)))
    saliency = np.einsum("k,qkl->ql", lit.curves, curves(val.z, arm.pattern(val, setting)))
    return np.column_stack([moment_scores(val, found), first_hits(val, real_clips(val, saliency))])


def readings(split: Split, head: TrainingFree, background: np.ndarray) -> list[Reading]:
    """Return the answers of `rdmf query`, query by query."""
    return [
        head.read_similarity(
            SimilarityCurve(
                rows @ query, visual_change(rows), clip_length=CLIP_LENGTH, duration=duration
            ),
            background=Background.of(rows @ background.T),
        )
        for rows, query, duration in zip(split.clips, split.queries, split.duration, strict=True)
    ]


def shipped_on(split: Split, read: list[Reading], grid: bool) -> np.ndarray:
    """Return (Q, 4) scores of the shipped head; its ends are exact, or rounded to clips as in the
    field.
    """
    found = stack([np.column_stack([r.spans, r.raw_scores]) for r in read], 3)
    found = to_grid(found, CLIP_LENGTH, limit=150.0) if grid else found
    hits = first_hits(split, [r.saliency_raw for r in read])
    return np.column_stack([moment_scores(split, found), hits])


def bootstrap(differences: np.ndarray) -> list[tuple[float, float]]:
    """Return the 95 % interval of the mean of each column; queries are drawn with replacement."""
    rng = np.random.default_rng(0)
    draws = rng.integers(len(differences), size=(RESAMPLES, len(differences)))
    means = np.array([differences[draw].mean(axis=0) for draw in draws])
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return how often a positive has a higher score than a negative; ties count half."""
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
    """Print a table of val for every arm, and the difference of `rd` from each arm."""
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--rates", type=Path, default=shipped_rates())
    args = parser.parse_args()
    train, val = load(args.features, "train"), load(args.features, "val")
    sentences = np.load(args.features / "text" / "background.npz")["pooler_output"]
    report(train, val, unit_rows(sentences), args.rates)


if __name__ == "__main__":
    main()

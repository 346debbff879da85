"""Compare reaction-diffusion with every other fusion: equal settings, three seeds.

    python benchmarks/fusion_ablation.py train FEATURES RUNS [--share 0.25] [--arms ...]
    python benchmarks/fusion_ablation.py table FEATURES RUNS [--json FILE]

FEATURES is a folder with video/, text/, train.jsonl and val.jsonl. `train` trains every arm (one
folder per arm in RUNS; complete runs are kept, interrupted runs resume) and scores it on val.
`table` adds the baseline of ranked level sets and the training-free head, which are also fitted on
train. Nothing is chosen on val: epochs, rates and augmentation are the same for all arms and were
chosen on folds of train, with reaction-diffusion. All queries of train are used for training, and
the last epoch is kept. All arms have about the same number of parameters (tests/heads checks it).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rdmf_cli.datasets import DATASETS, Samples, open_samples
from rdmf_cli.evaluation import evaluate
from rdmf_cli.evaluation.predict import predict
from rdmf_cli.heads.base import Head
from rdmf_cli.heads.learned.fusions import FUSIONS
from rdmf_cli.heads.learned.torch.torch_head import TorchHead
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.training.loop import train
from rdmf_cli.training.options import Precision, TrainingOptions
from rdmf_cli.training.retrieval import RetrievalTask

QVHIGHLIGHTS = DATASETS["qvhighlights"]
METRICS = {
    "R1@0.5": "MR-full-R1@0.5",
    "R1@0.7": "MR-full-R1@0.7",
    "mAP": "MR-full-mAP",
    "HIT@1": "HL-min-VeryGood-Hit1",
}


@dataclass(frozen=True)
class Arm:
    """One configuration of the model; `config` holds the differences from the defaults."""

    name: str
    config: dict[str, Any]


LABELS = {
    "joint-attention": "joint attention",
    "cross-attention": "cross attention",
    "gated-recurrence": "gated recurrence",
    "none": "no fusion",
    "gaussian": "fixed Gaussian",
    "convolution": "depthwise convolution",
}
"""The name of a fusion in the tables, if it is not the name in `FUSIONS`."""
UNIVERSAL = ("reaction-diffusion", "none", "convolution")
"""Fusions that are compared in the universal head, too."""


def arm_of(head: str, fusion: str) -> Arm:
    return Arm(f"{head}, {LABELS.get(fusion, fusion)}", {"head": head, "fusion": fusion})


ARMS = {
    arm.name: arm
    for arm in (
        *(arm_of("full", fusion) for fusion in FUSIONS),
        Arm("full, random slots", {"slots": "random"}),
        *(arm_of("universal", fusion) for fusion in UNIVERSAL),
    )
}


def samples_of(features: Path, split: str) -> Samples:
    return open_samples(QVHIGHLIGHTS, features / f"{split}.jsonl", features=features)


def share_of(samples: Samples, share: float, seed: int = 0) -> Samples:
    """Draw a share of the queries once: the same queries for every arm and every training seed."""
    if share == 1.0:
        return samples
    chosen = np.random.default_rng(seed).permutation(len(samples))[: round(share * len(samples))]
    return samples.part([int(i) for i in np.sort(chosen)])


def folder_of(runs: Path, arm: Arm, seed: int, share: float) -> Path:
    name = arm.name.replace(", ", "-").replace(" ", "-")
    return runs / f"{name}-{share:g}-{seed}"


def trained(
    samples: Samples, arm: Arm, seed: int, folder: Path, precision: Precision
) -> RetrievalTask:
    """Return the arm's task with its trained model."""
    options = TrainingOptions(seed=seed, device="cpu", hold_out=0, precision=precision)
    torch.manual_seed(seed)
    task = RetrievalTask(samples, arm.config, options)
    train(task, options, folder, about={"arm": arm.name})
    return task


def scores_of(head: Head, val: Samples) -> dict[str, float]:
    """Return the scores that papers print, in per cent, of the head on val."""
    result = evaluate(predict(val, QVHIGHLIGHTS, head), val.annotations, QVHIGHLIGHTS)
    return {name: result["brief"][key] for name, key in METRICS.items()}


def train_all(args: argparse.Namespace) -> None:
    samples = share_of(samples_of(args.features, "train"), args.share)
    val = samples_of(args.features, "val")
    for seed in range(args.seeds):
        for arm in (ARMS[name] for name in args.arms):
            folder = folder_of(args.runs, arm, seed, args.share)
            if (folder / "scores.json").exists():
                continue
            begun = time.perf_counter()
            task = trained(samples, arm, seed, folder, args.precision)
            row = {
                "arm": arm.name,
                "seed": seed,
                "share": args.share,
                "precision": args.precision,
                "queries": len(samples),
                "parameters": sum(x.numel() for x in task.model.parameters()),
                "seconds": round(time.perf_counter() - begun, 1),
                **scores_of(TorchHead(task.model), val),
            }
            task.save(folder / "model", row)
            (folder / "scores.json").write_text(json.dumps(row))
            print(json.dumps(row), flush=True)


def rows_of(runs: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(runs.glob("*/scores.json")):
        yield json.loads(path.read_text())


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean and standard deviation over the seeds, for every arm and share of the data."""
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["arm"], row["share"]), []).append(row)
    return [
        {
            "arm": arm,
            "share": share,
            "seeds": len(group),
            "parameters": group[0]["parameters"],
            "seconds": float(np.median([row["seconds"] for row in group])),
            **{
                name: [float(f([row[name] for row in group])) for f in (np.mean, np.std)]
                for name in METRICS
            },
        }
        for (arm, share), group in groups.items()
    ]


def show(table: list[dict[str, Any]]) -> None:
    """Print a table in Markdown."""
    print("| model | train queries | seeds | parameters | " + " | ".join(METRICS) + " |")
    print("| --- | ---: | ---: | ---: |" + " ---: |" * len(METRICS))
    order = list(ARMS)
    for row in sorted(table, key=lambda r: (-r["share"], order.index(r["arm"]))):
        cells = " | ".join(_cell(*row[m], row["seeds"]) for m in METRICS)
        share = "all" if row["share"] == 1 else f"{row['share']:.0%}"
        parameters = f"{row['parameters'] // 1000} k"
        print(f"| {row['arm']} | {share} | {row['seeds']} | {parameters} | {cells} |")


def show_differences(rows: list[dict[str, Any]]) -> None:
    """Print reaction-diffusion minus each other arm of the same head and share: mean and its error.

    This is the error of a difference of two means over seeds. A difference of less than twice its
    error may be chance.
    """
    print("\n| reaction-diffusion less | train queries | " + " | ".join(METRICS) + " |")
    print("| --- | ---: |" + " ---: |" * len(METRICS))
    for share in sorted({row["share"] for row in rows}, reverse=True):
        arms = {arm: [r for r in rows if (r["arm"], r["share"]) == (arm, share)] for arm in ARMS}
        for arm, other in arms.items():
            ours = arms[f"{arm.split(', ')[0]}, reaction-diffusion"]
            if other and ours and other is not ours:
                cells = " | ".join(_difference(ours, other, name) for name in METRICS)
                print(f"| {arm} | {share:.0%} | {cells} |")


def _difference(ours: list[dict[str, Any]], other: list[dict[str, Any]], name: str) -> str:
    values = [np.array([row[name] for row in rows]) for rows in (ours, other)]
    error = np.sqrt(sum(x.var(ddof=1) / len(x) for x in values)) if min(map(len, values)) > 1 else 0
    return f"{values[0].mean() - values[1].mean():+.1f} ± {error:.1f}"


def _cell(mean: float, deviation: float, seeds: int) -> str:
    return f"{mean:.1f} ± {deviation:.1f}" if seeds > 1 else f"{mean:.1f}"


def print_table(args: argparse.Namespace) -> None:
    from ranked_level_sets import bars  # scikit-learn, which training does not need

    val = samples_of(args.features, "val")
    rows = list(rows_of(args.runs))
    table = summary(rows)
    plain = {
        **bars(samples_of(args.features, "train"), val),
        "training-free": scores_of(TrainingFree.load(), val),
    }
    show(table)
    for name, scores in plain.items():
        cells = " | ".join(f"{scores[m]:.1f}" if m in scores else "–" for m in METRICS)
        print(f"| {name} | all | – | – | {cells} |")
    show_differences(rows)
    if args.json:
        args.json.write_text(json.dumps({"arms": table, "plain": plain}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "table"))
    parser.add_argument("features", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="share of the training queries")
    parser.add_argument(
        "--arms",
        nargs="+",
        metavar="ARM",
        choices=list(ARMS),
        default=list(ARMS),
        help=", ".join(ARMS),
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)  # two arms at the same time are faster than one arm on two threads
    (train_all if args.what == "train" else print_table)(args)


if __name__ == "__main__":
    main()

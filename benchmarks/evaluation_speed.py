"""Measure how long scoring takes: 1,550 queries in the shape of QVHighlights, on one core.

    python benchmarks/evaluation_speed.py [--queries 1550] [--repeats 5]

The data is drawn at random in the shape of the val split (10 predicted windows, 1 to 8 true
windows, 75 clips, three annotators). "metrics" is the computation from arrays; "files" also reads
and checks both files, as `rdmf eval` does. No part uses threads.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rdmf_cli.evaluation import DATASETS, GroundTruth, evaluate, evaluate_files, read_predictions

CLIPS, CLIP_LENGTH, PREDICTED = 75, 2, 10


def windows(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, 2) windows between clip edges, seconds."""
    first = rng.integers(0, CLIPS, count)
    last = np.minimum(first + rng.geometric(0.1, count), CLIPS)
    return np.column_stack([first, last]) * CLIP_LENGTH


def annotation(rng: np.random.Generator, qid: int) -> dict[str, Any]:
    clips = np.sort(rng.choice(CLIPS, rng.integers(1, 40), replace=False))
    return {
        "qid": qid,
        "query": f"query {qid}",
        "vid": f"video{qid}",
        "duration": CLIPS * CLIP_LENGTH,
        "relevant_windows": windows(rng, int(rng.integers(1, 9))).tolist(),
        "relevant_clip_ids": clips.tolist(),
        "saliency_scores": rng.integers(0, 5, (len(clips), 3)).tolist(),
    }


def prediction(rng: np.random.Generator, qid: int) -> dict[str, Any]:
    scores = np.sort(rng.random(PREDICTED).round(4))[::-1]
    spans = np.column_stack([windows(rng, PREDICTED).astype(float), scores])
    saliency = rng.normal(size=CLIPS).astype(np.float16).astype(float)
    return {
        "qid": qid,
        "pred_relevant_windows": spans.tolist(),
        "pred_saliency_scores": saliency.tolist(),
    }


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def fastest(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Return (CPU seconds, wall seconds), each from the run that was the fastest."""
    cpu, wall = [], []
    for _ in range(repeats):
        start = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - start[0])
        wall.append(time.perf_counter() - start[1])
    return min(cpu), min(wall)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=1550)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    rng, benchmark = np.random.default_rng(0), DATASETS["qvhighlights"]
    qids = range(arguments.queries)
    with tempfile.TemporaryDirectory() as folder:
        truth = write(Path(folder) / "gt.jsonl", [annotation(rng, q) for q in qids])
        guess = write(Path(folder) / "preds.jsonl", [prediction(rng, q) for q in qids])
        predictions, annotations = read_predictions(guess), benchmark.read(truth)
        metrics = fastest(lambda: evaluate(predictions, annotations, benchmark), arguments.repeats)
        files = fastest(
            lambda: evaluate_files(guess, GroundTruth(truth, benchmark)), arguments.repeats
        )
    print(f"{arguments.queries} queries, one core, fastest of {arguments.repeats}")
    print("metrics: CPU {:.2f} s, wall {:.2f} s".format(*metrics))
    print("files:   CPU {:.2f} s, wall {:.2f} s".format(*files))


if __name__ == "__main__":
    main()

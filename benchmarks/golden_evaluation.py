"""Check whether `rdmf eval` reproduces published numbers, cell by cell.

    python benchmarks/golden_evaluation.py --pair DIR [--pair DIR ...] [--dataset NAME]

DIR holds `preds.jsonl`, `gt.jsonl` (both may be gzipped) and `metrics.json`, as moment_detr and the
projects based on it publish them (moment_detr: standalone_eval/sample_val_preds.jsonl and
sample_val_preds_metrics_raw.json, with data/highlight_val_release.jsonl as ground truth; because of
their licence, CC BY-NC-SA 4.0, these files are not in this repository). The exit code is 1 if a
cell differs in two decimals.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rdmf_cli.evaluation import GroundTruth, evaluate_files, rounded


def cells(metrics: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, float]]:
    """Yield ("full / MR-mAP / 0.5", 54.96) for every number of a nested dict."""
    for key, value in metrics.items():
        if isinstance(value, dict):
            yield from cells(value, (*path, key))
        elif isinstance(value, float):
            yield " / ".join((*path, key)), value


def stored(folder: Path, name: str) -> Path:
    """Return the file with this name, or its gzipped form."""
    plain = folder / name
    return plain if plain.exists() else plain.with_name(name + ".gz")


def compare(folder: Path, dataset: str) -> tuple[int, int]:
    """Print the comparison; return the number of cells, and of cells that differ."""
    ours = dict(
        cells(
            rounded(
                evaluate_files(
                    stored(folder, "preds.jsonl"), GroundTruth(stored(folder, "gt.jsonl"), dataset)
                )
            )
        )
    )
    published = dict(cells(json.loads((folder / "metrics.json").read_text())))
    differing = 0
    print(f"\n{folder}\n{'cell':34} {'published':>10} {'ours':>10}")
    for name, value in published.items():
        same = ours.get(name) == value
        differing += not same
        print(f"{name:34} {value:10.2f} {ours.get(name, float('nan')):10.2f}" + " *" * (not same))
    print(f"{len(published)} cells, {differing} differ")
    return len(published), differing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pair", type=Path, action="append", required=True)
    parser.add_argument("--dataset", default="qvhighlights")
    arguments = parser.parse_args()
    results = [compare(folder, arguments.dataset) for folder in arguments.pair]
    sys.exit(any(differing for _, differing in results))


if __name__ == "__main__":
    main()

"""Search and fit the rates of the training-free head on QVHighlights-captions.

    python -m recipes.rates search --features DIR --log LOGS [--arm ARM] [--draws N]
    python -m recipes.rates choose --features DIR --log LOGS [--rates FILE]

DIR holds features in the field's layout: train.jsonl, val.jsonl, video/<vid>.npz,
text/qid<qid>.npz; and text/background.npz, the sentences of rdmf_cli.channels.background from the
same encoder. In DIR, `train` is the official TEST split of QVHighlights with its ground truth, and
`val` is the official val split; the features of clips are sentence embeddings of captions. So the
numbers can be compared only within this project.

`search` draws settings at random (with a seed, one JSON line per draw; the same command resumes).
Then it jitters the best settings. Every arm has the same candidates, ranking and suppression, and,
after a complete run, the same number of draws:

rd         reaction-diffusion, as `rdmf query` runs it; every channel is a switch: a clip that
           matches well enough can stay active
diffusion  the same without the reaction: linear diffusion that stops at visual change
gaussian   Gaussian smoothing at several scales

A draw is scored on train alone, in five folds by YouTube id: the linear ranking is fitted on four
folds and scored on the fifth. `choose` takes the draw with the best mean score over the draw and
its jittered copies, fits its ranking on all of train, and writes the rates of `rd` and, beside
them, the settings of all arms (settings.json). `benchmarks/training_free.py` scores val.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from rdmf_cli.heads.training_free.rates import shipped_rates
from recipes.rates.arms import ARMS
from recipes.rates.data import load, unit_rows
from recipes.rates.fit import choose
from recipes.rates.search import search


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=["search", "choose"])
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--log", type=Path, default=Path("runs/training_free"))
    parser.add_argument("--arm", choices=list(ARMS), action="append", help="default: all")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rates", type=Path, default=shipped_rates())
    return parser.parse_args()


def main() -> None:
    """Run the task that the command line names."""
    args = arguments()
    train = load(args.features, "train")
    if args.task == "search":
        args.log.mkdir(parents=True, exist_ok=True)
        for name in args.arm or ARMS:
            search(train, name, args.draws, args.seed, args.log / f"{name}.jsonl")
        return
    sentences = np.load(args.features / "text" / "background.npz")["pooler_output"]
    choose(train, args.log, unit_rows(sentences), args.rates)


if __name__ == "__main__":
    main()

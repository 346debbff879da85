"""Compare all fusions on disturbed footage: QVHighlights val and Charades-STA val.

    python benchmarks/robustness.py train RUNS --data qvhighlights FEATURES [--arms ...] [--seeds N]
    python benchmarks/robustness.py measure RUNS --data qvhighlights FEATURES [--sets ...]
    python benchmarks/robustness.py table RUNS [--json FILE] [--figure FILE]

FEATURES is a folder in the field's layout: video/, text/, train.jsonl, val.jsonl. `train` trains a
full head with each fusion, all with the same settings. `measure` scores each head on val, with and
without disturbances. `table` prints means over the seeds, and reaction-diffusion minus every other
arm. Complete results are kept, and interrupted work resumes. Random choices depend only on the
query, so all arms see the same disturbed videos:

noise N              noise of a random direction, N times as long as a row, on every row
N % foreign          N % of the clips are replaced by clips of other videos
advertisements       after every 12 clips, 3 clips of another video
40 % repeats         40 % of the clips show the content of the clip before them
short clips          every clip twice, each of half the length
long clips           means of two clips, of twice the length
N times as long      the video among other videos; `--long` sets the number of queries

Nothing is chosen on val. To make choices on parts of train: `train --fold K` trains on four fifths
of the videos of train, and `measure --fold K` scores on the remaining fifth. To measure the effect
of one part of reaction-diffusion: `train --arms reaction-diffusion --without PART --label NAME`;
without edges: `--config '{"cut": 1e6}'`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from long_footage import spread

from rdmf_cli.channels.question import Question
from rdmf_cli.datasets import DATASETS, Sample, Samples, hold_out, open_samples
from rdmf_cli.datasets import disturbances as disturb
from rdmf_cli.datasets.annotations import Annotations
from rdmf_cli.datasets.disturbances import Footage, Rows, footage_of, sample_in
from rdmf_cli.datasets.split import video_of
from rdmf_cli.evaluation import evaluate
from rdmf_cli.evaluation.predict import predict
from rdmf_cli.fusion.module import LearnedRates
from rdmf_cli.fusion.reaction import Rates, StepRates
from rdmf_cli.heads.learned.fusions import FUSIONS
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.heads.learned.torch import checkpoint
from rdmf_cli.heads.learned.torch.export import TorchGraphs
from rdmf_cli.heads.learned.torch.network import Network
from rdmf_cli.heads.learned.torch.torch_head import TorchHead
from rdmf_cli.heads.learned.windows import read_window
from rdmf_cli.moments.reading import Reading
from rdmf_cli.training.hyperparameters import Hyperparameters
from rdmf_cli.training.loop import train
from rdmf_cli.training.options import TrainingOptions
from rdmf_cli.training.retrieval import RetrievalTask

FOLD = 0.2  # share of the videos of train that a fold holds out
FIRST = "reaction-diffusion"  # all other arms are compared with this arm
METRICS = {
    "R1@0.5": "MR-full-R1@0.5",
    "R1@0.7": "MR-full-R1@0.7",
    "mAP": "MR-full-mAP",
    "mIoU": "MR-full-mIoU",
    "HIT@1": "HL-min-VeryGood-Hit1",
}
SHOWN = ("R1@0.5", "mAP")  # what the table of all sets shows
Scores = dict[str, float]


# ----------------------------------------------------------------------- disturbed sets
@dataclass(frozen=True)
class Disturbance:
    """A change of a video: `apply(footage, rows of other videos, generator)`."""

    name: str
    apply: Callable[[Footage, Sequence[Rows], np.random.Generator], Footage]
    others: int = 0
    longer: bool = False


def noise(level: float) -> Disturbance:
    return Disturbance(
        f"noise {level:g}", lambda footage, _, rng: disturb.with_noise(footage, level, rng)
    )


def foreign(share: float) -> Disturbance:
    return Disturbance(
        f"{share:.0%} foreign".replace("%", " %"),
        lambda footage, others, rng: disturb.with_foreign_clips(footage, share, others, rng),
        others=20,
    )


def times_as_long(times: int) -> Disturbance:
    def apply(footage: Footage, others: Sequence[Rows], rng: np.random.Generator) -> Footage:
        return disturb.among(footage, others, int(rng.integers(len(others) + 1)))

    return Disturbance(f"{times} times as long", apply, others=times - 1, longer=True)


PLAIN = "plain"
SETS = {
    one.name: one
    for one in (
        Disturbance(PLAIN, lambda footage, _, __: footage),
        *(noise(level) for level in (0.5, 1.0, 2.0)),
        *(foreign(share) for share in (0.15, 0.3)),
        Disturbance(
            "advertisements",
            lambda footage, others, rng: disturb.with_insertions(footage, 12, 3, others, rng),
            others=20,
        ),
        Disturbance(
            "40 % repeats", lambda footage, _, rng: disturb.with_repeats(footage, 0.4, rng)
        ),
        Disturbance("short clips", lambda footage, _, __: disturb.with_short_clips(footage)),
        Disturbance("long clips", lambda footage, _, __: disturb.with_long_clips(footage)),
        *(times_as_long(times) for times in (4, 12)),
    )
}


class Disturbed:
    """Samples in disturbed footage, with annotations that match the footage."""

    def __init__(self, samples: Samples, disturbance: Disturbance):
        self.disturbance = disturbance
        entries = samples.annotations.entries
        self._first = {video_of(a.vid): i for i, a in reversed(list(enumerate(entries)))}
        self._rows = cache(lambda index: samples[index].rows)
        self._made = [self._disturbed(sample) for sample in samples]
        changed = [sample.annotation for sample in self._made]
        self.annotations = Annotations(samples.annotations.path, changed, [])

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, index: int) -> Sample:
        return self._made[index]

    def _disturbed(self, sample: Sample) -> Sample:
        qid = sample.annotation.qid
        rng = np.random.default_rng([ord(x) for x in f"{self.disturbance.name} {qid}"])
        others = self._others(sample, rng)
        made = sample_in(sample, self.disturbance.apply(footage_of(sample), others, rng))
        if made.clip_length == sample.clip_length:
            return made
        unrated = replace(
            made.annotation, clip_ids=None, ratings=None
        )  # they belong to another grid of clips
        return replace(made, annotation=unrated)

    def _others(self, sample: Sample, rng: np.random.Generator) -> list[Rows]:
        own, names = video_of(sample.annotation.vid), list(self._first)
        drawn = rng.permutation(len(names))[: self.disturbance.others + 1]
        kept = [names[i] for i in drawn if names[i] != own][: self.disturbance.others]
        return [self._rows(self._first[name]) for name in kept]


class AnyLength:
    """A trained network that reads as `rdmf` does: in batches, or in windows for long footage."""

    def __init__(self, network: Network):
        self.short, self.long = TorchHead(network), LearnedHead(TorchGraphs(network))

    def read_many(
        self, questions: Sequence[Question], *, top_k: int = 10, distinct: bool = False
    ) -> list[Reading]:
        most = read_window(self.short.config, questions[0].clip_length)
        head = self.short if max(map(len, questions)) <= most else self.long
        return head.read_many(questions, top_k=top_k, distinct=distinct)


def scores_of(head: Any, samples: Samples, disturbance: Disturbance) -> Scores:
    """Return the scores in per cent, by the names of METRICS."""
    shown = Disturbed(samples, disturbance)
    made = predict(shown, samples.dataset, head)
    brief = evaluate(made, shown.annotations, samples.dataset)["brief"]
    return {name: float(brief[key]) for name, key in METRICS.items() if key in brief}


# ----------------------------------------------------- parts that can be turned off
PARTS: dict[str, Callable[[StepRates], StepRates]] = {
    "reaction": lambda rates: rates._replace(dt=0.0 * rates.dt),  # r dt is 0: u and v never meet
    "diffusion": lambda rates: rates._replace(a_u=0.0 * rates.a_u, a_v=0.0 * rates.a_v),
    "substrate": lambda rates: rates._replace(f=0.0 * rates.f + 1e6),  # u is refilled at once
}
"""For each part of reaction-diffusion, the change of the rates per step that turns it off."""


class Reduced(LearnedRates):
    """Rates with one part turned off, in training and afterwards."""

    part: str

    def forward(self, shifts: torch.Tensor | None = None) -> StepRates:
        return PARTS[self.part](super().forward(shifts))

    @property
    def rates(self) -> Rates:
        plain = copy(self)
        plain.__class__ = LearnedRates
        return plain.rates


def without(network: Network, part: str | None) -> Network:
    """Turn off a part of the fusion; its weights keep their names."""
    if part is not None:
        for block in network.blocks:
            block.fusion.evolve.learned.__class__ = Reduced
            block.fusion.evolve.learned.part = part
    return network


# --------------------------------------------------------------------- training, measuring
def split_of(args: argparse.Namespace) -> tuple[Samples, Samples]:
    """Return the samples to train on and the samples to score."""
    name, features = args.data
    dataset, folder = DATASETS[name], Path(features)
    learned = open_samples(dataset, folder / "train.jsonl", features=folder)
    if args.fold is None:
        return learned, open_samples(dataset, folder / "val.jsonl", features=folder)
    parts = hold_out(learned.annotations, FOLD, seed=args.fold)
    return learned.part(parts[0]), learned.part(parts[1])


def name_of(args: argparse.Namespace, arm: str, seed: int) -> str:
    fold = "" if args.fold is None else f"-fold{args.fold}"
    return f"{args.data[0]}{fold}-{args.label or arm}-{seed}"


def train_all(args: argparse.Namespace) -> None:
    learned, _ = split_of(args)
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for arm in args.arms:
            folder = args.runs / name_of(args, arm, seed)
            if (folder / "about.json").exists():
                continue
            print(json.dumps(train_one(args, learned, arm, seed, folder)), flush=True)


def train_one(
    args: argparse.Namespace, learned: Samples, arm: str, seed: int, folder: Path
) -> dict[str, Any]:
    given = {"device": "cpu", "hold_out": 0, "precision": "float32", "epochs": args.epochs}
    options = TrainingOptions(**{**given, **json.loads(args.options)}, seed=seed)
    config = {"fusion": arm, **json.loads(args.config)}
    hyper = Hyperparameters(**json.loads(args.hyper))
    torch.manual_seed(seed)
    begun = time.perf_counter()
    task = RetrievalTask(learned, config, options, hyper=hyper)
    without(task.model, args.without)
    train(task, options, folder, about={"arm": arm, **json.loads(args.hyper)})
    about = {
        "data": args.data[0],
        "fold": args.fold,
        "arm": args.label or arm,
        "seed": seed,
        "epochs": args.epochs,
        "hyper": json.loads(args.hyper),
        "config": json.loads(args.config),
        "options": json.loads(args.options),
        "without": args.without,
        "queries": len(learned),
        "parameters": sum(x.numel() for x in task.model.parameters()),
        "seconds": round(time.perf_counter() - begun, 1),
    }
    task.save(folder / "model", about)
    (folder / "about.json").write_text(json.dumps(about))
    return about


def measure_all(args: argparse.Namespace) -> None:
    """Measure every trained run of this data and fold; each set is measured once."""
    _, val = split_of(args)
    for about in runs_of(args.runs):
        if (about["data"], about["fold"]) != (args.data[0], args.fold):
            continue
        path = args.runs / about["folder"] / "scores.json"
        done: dict[str, Scores] = json.loads(path.read_text()) if path.exists() else {}
        network = without(checkpoint.load(path.parent / "model"), about.get("without"))
        head = AnyLength(network)
        for name in args.sets:
            if name in done:
                continue
            part = val.part(spread(len(val), args.long)) if SETS[name].longer else val
            done[name] = scores_of(head, part, SETS[name])
            path.write_text(json.dumps(done))
            print(about["folder"], name, json.dumps(done[name]), flush=True)


def runs_of(runs: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(runs.glob("*/about.json")):
        yield {**json.loads(path.read_text()), "folder": path.parent.name}


# -------------------------------------------------------------------------------- tables
Runs = dict[str, list[dict[str, Scores]]]
"""For every arm, the scores of each seed, by set, then by metric."""


def scores_by_arm(runs: Path, data: str, fold: int | None) -> Runs:
    found: Runs = {}
    for about in runs_of(runs):
        path = runs / about["folder"] / "scores.json"
        if (about["data"], about["fold"]) == (data, fold) and path.exists():
            found.setdefault(about["arm"], []).append(json.loads(path.read_text()))
    return found


def values(seeds: Sequence[dict[str, Scores]], sets: Sequence[str], metric: str) -> np.ndarray:
    """For each seed that measured all these sets, return the mean over the sets."""
    whole = [seed for seed in seeds if all(metric in seed.get(name, {}) for name in sets)]
    return np.array([np.mean([seed[name][metric] for name in sets]) for seed in whole])


def cell(found: np.ndarray) -> str:
    if not len(found):
        return "–"
    spread_ = f" ± {found.std(ddof=1):.1f}" if len(found) > 1 else ""
    return f"{found.mean():.1f}{spread_}"


def difference(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Return the mean and its error: the error of a difference of two means over seeds."""
    if not len(ours) or not len(theirs):
        return "–"
    told = f"{ours.mean() - theirs.mean():+.1f}"
    if min(len(ours), len(theirs)) < 2:
        return told
    error = np.sqrt(sum(x.var(ddof=1) / len(x) for x in (ours, theirs)))
    return f"{told} ± {error:.1f}"


def rows_of_sets(found: Runs) -> dict[str, list[str]]:
    """Return the measured sets, and the mean over the disturbed sets."""
    measured = [name for name in SETS if any(name in s for seeds in found.values() for s in seeds)]
    disturbed = [name for name in measured if name != PLAIN]
    return {**{name: [name] for name in measured}, "mean of the disturbed sets": disturbed}


def show(found: Runs, metric: str, compared: bool) -> None:
    """Print a table in Markdown: one row per set, one column per arm."""
    arms = [arm for arm in found if not (compared and arm == FIRST)]
    seeds = ", ".join(f"{arm} {len(found[arm])}" for arm in found)
    what = f"{metric}, {FIRST} minus each other arm" if compared else metric
    print(f"\n{what} (seeds: {seeds})\n")
    print("| val | " + " | ".join(arms) + " |\n| --- |" + " --- |" * len(arms))
    for title, sets in rows_of_sets(found).items():
        cells = [
            difference(values(found[FIRST], sets, metric), values(found[arm], sets, metric))
            if compared
            else cell(values(found[arm], sets, metric))
            for arm in arms
        ]
        print(f"| {title} | " + " | ".join(cells) + " |")


def print_table(args: argparse.Namespace) -> None:
    abouts = list(runs_of(args.runs))
    kept: dict[str, Runs] = {}
    for data in sorted({about["data"] for about in abouts}):
        found = kept[data] = scores_by_arm(args.runs, data, args.fold)
        if not found:
            del kept[data]
            continue
        epochs = sorted({about["epochs"] for about in abouts if about["data"] == data})
        print(f"\n## {data}: {', '.join(map(str, epochs))} epochs")
        for metric in SHOWN:
            show(found, metric, compared=False)
            if FIRST in found:
                show(found, metric, compared=True)
    if args.json:
        args.json.write_text(json.dumps({"runs": abouts, "scores": kept}, indent=1) + "\n")
    if args.figure:
        draw(kept, args.figure)


COLUMNS = 4  # panels of the figure side by side


def draw(kept: dict[str, Runs], path: Path) -> None:
    """Draw one panel per set: a dot per arm at its mAP, with the deviation over seeds.

    A line marks the first arm in each panel, so that the other arms are to the left or the right of
    it.
    """
    from matplotlib.figure import Figure

    panels = [(data, name) for data, found in kept.items() for name in rows_of_sets(found)]
    arms = [arm for arm in FUSIONS if any(arm in found for found in kept.values())]
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(11, 0.7 + rows * (0.5 + 0.2 * len(arms))), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).flat
    for axis, (data, name) in zip(axes, panels, strict=False):
        sets = rows_of_sets(kept[data])[name]
        draw_panel(axis, arms, [values(kept[data].get(arm, []), sets, "mAP") for arm in arms])
        axis.set_title(name if len(kept) == 1 else f"{data}: {name}", fontsize=9)
    for axis in axes[len(panels) :]:
        axis.axis("off")
    for axis in axes[max(len(panels) - COLUMNS, 0) : len(panels)]:
        axis.tick_params(labelbottom=True)
    seeds = sorted({len(found[arm]) for found in kept.values() for arm in found})
    counts = " to ".join(str(n) for n in {seeds[0]: None, seeds[-1]: None})
    title = f"mAP on val of {', '.join(kept)}: means and deviations over seeds ({counts} per arm)"
    figure.suptitle(title, fontsize=10)
    undated = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, dpi=120, metadata=undated)


def draw_panel(axis: Any, arms: Sequence[str], each: Sequence[np.ndarray]) -> None:
    for place, found in enumerate(each):
        if len(found):
            error = found.std(ddof=1) if len(found) > 1 else 0.0
            own = arms[place] == FIRST
            colour = "C3" if own else "C0"
            axis.errorbar(found.mean(), place, xerr=error, fmt="o", ms=4, color=colour, capsize=2)
            if own:
                axis.axvline(found.mean(), color=colour, lw=0.8, alpha=0.5)
    axis.set_yticks(range(len(arms)), arms, fontsize=8)
    axis.set_ylim(len(arms) - 0.5, -0.5)
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="x", lw=0.4, alpha=0.5)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "measure", "table"))
    parser.add_argument("runs", type=Path)
    parser.add_argument("--data", nargs=2, metavar=("DATASET", "FEATURES"))
    parser.add_argument("--arms", nargs="+", choices=list(FUSIONS), default=list(FUSIONS))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=TrainingOptions().epochs)
    parser.add_argument("--hyper", default="{}", help="JSON: other Hyperparameters")
    parser.add_argument("--config", default="{}", help="JSON: other fields of ModelConfig")
    parser.add_argument("--without", choices=list(PARTS), help="turn a part of the fusion off")
    parser.add_argument("--options", default="{}", help="JSON: other TrainingOptions")
    parser.add_argument("--label", help="name of the arm, if one of these is given")
    parser.add_argument("--fold", type=int, help="train and measure on parts of train")
    parser.add_argument(
        "--long", type=int, default=300, help="number of queries for longer footage"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path, help="file of the figure, svg or png")
    args = parser.parse_args(argv)
    if args.what != "table" and not args.data:
        parser.error(f"{args.what} needs --data DATASET FEATURES")
    {"train": train_all, "measure": measure_all, "table": print_table}[args.what](args)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

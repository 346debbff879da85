"""Run the evaluators of other repositories and `rdmf eval` on the same predictions, cell by cell.

    python benchmarks/peer_evaluators.py --peer lighthouse FOLDER --peer moment_detr FOLDER ... \\
        --moments qvhighlights GROUND_TRUTH PREDICTIONS ... --made tacos GROUND_TRUTH [--csv FILE]

FOLDER is a clone of the repository: lighthouse (line/lighthouse), UniVTG (showlab/UniVTG), CG-DETR
(wjun0830/CGDETR), R2-Tuning (yeliudev/R2-Tuning), moment_detr (jayleicn/moment_detr). Nothing of
them is in this repository; their evaluators need scikit-learn. Each is run as it is, in a process
of its own.

--moments compares published predictions, and five changes of the first file: one to four windows,
scores that tie, windows off the grid, windows exactly on a threshold, and all of these together.
--made makes predictions for a benchmark: windows near the true ones, or, for tvsum and
youtube-highlights, a score per clip. Where scores of clips tie, the peers take the order that their
sort happens to give; then the peer's number must lie in the range of all orders, which `rdmf eval`
prints.

The group `long` of moment_detr and CG-DETR ends at 150 s. For these two, the numbers of this group
are those of `rdmf eval` for annotations without longer moments. In a group without any moment,
`rdmf eval` prints null; such cells are listed apart, with the number of the peer. An evaluator that
ends with an error counts as a cell that differs; the others are run all the same. Exits with 1 if a
cell differs.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from golden_evaluation import cells

from rdmf_cli.datasets.lines import records
from rdmf_cli.evaluation import DATASETS, GroundTruth, evaluate_files, rounded

Row = dict[str, Any]
LONGEST = 150.0  # seconds: the end of the group `long` in two of the evaluators
BY_DOMAIN = ("tvsum", "youtube-highlights")
THRESHOLDS = np.linspace(0.3, 0.95, 14)


@dataclass(frozen=True)
class Peer:
    """The places of the evaluators in a repository.

    Attributes:
        inside: Folder from which the evaluator of moments is started.
        module: The evaluator of moments, for `python -m`.
        long_ends: Whether the group `long` ends at LONGEST.
        highlights: File and function that score the videos of a domain, by dataset; the function
            is `compute_hl_results` of a model and a loader, or the method `evaluate` of a class.
    """

    inside: str
    module: str
    long_ends: bool = False
    highlights: tuple[tuple[str, str, str], ...] = ()


PEERS = {
    "lighthouse": Peer(
        "training",
        "standalone_eval.eval",
        highlights=(
            ("tvsum", "training/evaluate.py", "compute_hl_results"),
            ("youtube_highlight", "training/evaluate.py", "compute_hl_results"),
        ),
    ),
    "UniVTG": Peer(
        ".",
        "eval.eval",
        highlights=(
            ("tvsum", "main/dataset.py", "DatasetHL.evaluate"),
            ("youtube", "main/dataset.py", "DatasetHL.evaluate"),
        ),
    ),
    "CG-DETR": Peer(
        ".",
        "standalone_eval.eval",
        long_ends=True,
        highlights=(
            ("tvsum", "cg_detr/inference.py", "compute_hl_results"),
            ("youtube_uni", "cg_detr/inference.py", "compute_hl_results"),
        ),
    ),
    "R2-Tuning": Peer(
        "datasets",
        "eval.evaluation",
        highlights=(
            ("tvsum", "datasets/tvsum.py", "TVSum.evaluate"),
            ("youtube", "datasets/youtube.py", "YouTubeHighlights.evaluate"),
        ),
    ),
    "moment_detr": Peer(".", "standalone_eval.eval", long_ends=True),
}


class Cell(NamedTuple):
    """A number of another repository and the number of rdmf, which are compared.

    Attributes:
        peer, predictions, name: The repository, the predictions, and the metric and its group.
        theirs: The number of the peer; NaN: its evaluator failed.
        ours: The number of rdmf; None: rdmf prints null or has no such number.
        same: Whether both are equal.
        empty: Whether rdmf prints null because no moment is in the group; such a cell is not
            compared.
    """

    peer: str
    predictions: str
    name: str
    theirs: float
    ours: float | None
    same: bool
    empty: bool = False


# ----------------------------------------------------------------------------- predictions


def rows_of(path: Path) -> list[Row]:
    """Return the records of a file of JSON Lines, plain or gzipped."""
    return [row for _, row in records(path)]


def write(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def few(row: Row, truth: Row, rng: np.random.Generator) -> list[list[float]]:
    kept: list[list[float]] = row["pred_relevant_windows"][: int(rng.integers(1, 5))]
    return kept


def tied(row: Row, truth: Row, rng: np.random.Generator) -> list[list[float]]:
    return [[start, end, round(score, 1)] for start, end, score in row["pred_relevant_windows"]]


def unrounded(row: Row, truth: Row, rng: np.random.Generator) -> list[list[float]]:
    moved = []
    for start, end, score in row["pred_relevant_windows"]:
        first, last = np.sort(np.clip(rng.normal([start, end], 1.5), 0, truth["duration"]))
        moved.append([round(float(first), 4), round(float(last) + 1e-3, 4), score])
    return moved


def on_threshold(row: Row, truth: Row, rng: np.random.Generator) -> list[list[float]]:
    """Return windows at the start of a true window, with an IoU of exactly a threshold."""
    made = []
    for _, _, score in row["pred_relevant_windows"]:
        start, end = truth["relevant_windows"][rng.integers(len(truth["relevant_windows"]))]
        share = rng.choice(THRESHOLDS).round(2)
        length = (end - start) * share if rng.random() < 0.5 else (end - start) / share
        inside = start + length <= truth["duration"]
        made.append([start, float(start + (length if inside else (end - start) * share)), score])
    return made


def all_together(row: Row, truth: Row, rng: np.random.Generator) -> list[list[float]]:
    change = (on_threshold, unrounded)[int(rng.integers(2))]
    changed = {"pred_relevant_windows": change(row, truth, rng)}
    return tied({"pred_relevant_windows": few(changed, truth, rng)}, truth, rng)


CHANGES = {
    "1 to 4 windows": few,
    "tied scores": tied,
    "unrounded windows": unrounded,
    "windows on a threshold": on_threshold,
    "few, tied, unrounded and on a threshold": all_together,
}


def changed(rows: Sequence[Row], truth: Sequence[Row], change: Callable[..., Any]) -> list[Row]:
    """Return predictions with changed windows; saliency is rounded to one decimal, to make ties."""
    rng, by_qid = np.random.default_rng(0), {row["qid"]: row for row in truth}
    made = []
    for row in rows:
        other = {**row, "pred_relevant_windows": change(row, by_qid[row["qid"]], rng)}
        if "pred_saliency_scores" in row:
            other["pred_saliency_scores"] = [round(x, 1) for x in row["pred_saliency_scores"]]
        made.append(other)
    return made


def made_windows(truth: Sequence[Row]) -> list[Row]:
    """Return ten windows per query, near the true windows, on a grid of two seconds."""
    rng, made = np.random.default_rng(1), []
    for row in truth:
        scores = np.sort(rng.random(10).round(4))[::-1].tolist()
        near = [row["relevant_windows"][rng.integers(len(row["relevant_windows"]))] for _ in scores]
        spread = [max(end - start, 2.0) * 0.6 for start, end in near]
        moved = rng.normal(near, np.array(spread)[:, None])
        grid = 2 * np.round(np.sort(np.clip(moved, 0, row["duration"])) / 2)
        last = max(2 * (row["duration"] // 2), 2)  # the last point of the grid in the video
        grid[:, 0] = np.minimum(grid[:, 0], last - 2)
        grid[:, 1] = np.clip(grid[:, 1], grid[:, 0] + 2, last)
        found = [[*window, score] for window, score in zip(grid.tolist(), scores, strict=True)]
        made.append({"qid": row["qid"], "vid": row["vid"], "pred_relevant_windows": found})
    return made


def made_scores(truth: Sequence[Row], ties: bool) -> list[Row]:
    """Return a score per clip: all different, or only five different values."""
    rng = np.random.default_rng(2)
    return [
        {
            "qid": row["qid"],
            "vid": row["vid"],
            "pred_saliency_scores": (
                rng.integers(0, 5, len(row["label"])) / 4
                if ties
                else rng.permutation(len(row["label"])) / len(row["label"])
            ).tolist(),
        }
        for row in truth
    ]


# ------------------------------------------------------------------------------- moments


def peer_moments(peer: Peer, folder: Path, truth: Path, guess: Path) -> dict[str, float]:
    """Run another repository's evaluator of moments in its own process; return all its numbers."""
    saved = guess.with_suffix(".metrics.json")
    saved.unlink(missing_ok=True)
    command = [sys.executable, "-m", peer.module, "--not_verbose", "--submission_path", str(guess)]
    command += ["--gt_path", str(truth), "--save_path", str(saved)]
    ran = subprocess.run(command, cwd=folder / peer.inside, capture_output=True, text=True)
    if not saved.exists():
        last = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
        return {f"its evaluator failed ({last})": math.nan}
    return dict(cells(json.loads(saved.read_text())))


def our_moments(dataset: str, truth: Path, guess: Path) -> dict[str, float | None]:
    """Return rdmf's numbers; None: null, because no moment is in the group."""
    scores = rounded(evaluate_files(guess, GroundTruth(truth, dataset)))
    return {**dict.fromkeys(nulls(scores)), **dict(cells(scores))}


def nulls(metrics: Row, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield ("long / MR-mAP / 0.5") for every null of a nested dict."""
    for key, value in metrics.items():
        if isinstance(value, dict):
            yield from nulls(value, (*path, key))
        elif value is None:
            yield " / ".join((*path, key))


def without_longest(dataset: str, truth: Path, guess: Path) -> dict[str, float | None]:
    """Return rdmf's numbers for annotations without moments longer than LONGEST seconds."""
    kept = []
    for row in rows_of(truth):
        short = [w for w in row["relevant_windows"] if w[1] - w[0] <= LONGEST]
        kept += [{**row, "relevant_windows": short}] if short else []
    qids = {row["qid"] for row in kept}
    if len(kept) == len(rows_of(truth)) and dataset == "qvhighlights":
        return our_moments(dataset, truth, guess)
    with tempfile.TemporaryDirectory() as name:
        only = write(Path(name, "truth.jsonl"), kept)
        some = write(Path(name, "guess.jsonl"), [r for r in rows_of(guess) if r["qid"] in qids])
        return our_moments(dataset, only, some)


def moment_cells(
    folders: dict[str, Path], dataset: str, truth: Path, guess: Path, name: str
) -> Iterator[Cell]:
    ours, ending = our_moments(dataset, truth, guess), without_longest(dataset, truth, guess)
    for peer, folder in folders.items():
        for cell, theirs in peer_moments(PEERS[peer], folder, truth, guess).items():
            bounded = PEERS[peer].long_ends and ("long / " in cell or "MR-long" in cell)
            known, key = ending if bounded else ours, cell.removesuffix("-key")  # UniVTG's mark
            own = known.get(key)
            empty = own is None and key in known
            yield Cell(peer, f"{dataset}, {name}", cell, theirs, own, own == theirs, empty)


# ---------------------------------------------------------------------- scores of clips


def peer_function(path: Path, name: str) -> Callable[..., Any]:
    """Load one function of another repository without the imports of its file (models, readers)."""
    import torch

    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split("."):
        (node,) = [n for n in body if getattr(n, "name", None) == part]
        body = node.body  # type: ignore[attr-defined]
    inputs = lambda batch, *_, **__: ({"scores": batch}, None)  # noqa: E731
    scope: dict[str, Any] = {"torch": torch, "np": np, "defaultdict": defaultdict, "F": None}
    scope |= {"tqdm": lambda steps, **_: steps, "AverageMeter": list, "logger": None}
    scope |= {"prepare_batch_inputs": inputs, "cg_detr_prepare_batch_inputs": inputs}
    module = ast.Module([ast.ImportFrom("__future__", [ast.alias("annotations")], 0), node], [])
    exec(compile(ast.fix_missing_locations(module), str(path), "exec"), scope)  # noqa: S102
    found: Callable[..., Any] = scope[node.name]  # type: ignore[attr-defined]
    return found


class Shown:
    """A model that returns the given scores."""

    def eval(self) -> None:
        """Do nothing: there is nothing to set."""

    def __call__(self, scores: Any) -> dict[str, Any]:
        return {"saliency_scores": scores}


class Videos(list[Any]):
    """A peer's dataset of the videos of one domain, as far as its `evaluate` reads it."""

    def __init__(self, kind: str, truth: Sequence[Row]):
        import torch

        super().__init__(truth)
        self.dset_name = kind
        self.label = {row["vid"]: {"anno": row["label"]} for row in truth}
        self.get_video_id = lambda i: truth[i]["vid"]
        self.get_saliency = lambda i: torch.tensor([float(x[0] > 0) for x in truth[i]["label"]])


def peer_score(peer: Peer, folder: Path, dataset: str, pairs: Sequence[tuple[Row, Row]]) -> float:
    """Return another repository's mAP of one domain, from pairs of annotation and prediction."""
    import torch

    kind, file, name = peer.highlights[BY_DOMAIN.index(dataset)]
    function = peer_function(folder / file, name)
    scores = [torch.tensor(guess["pred_saliency_scores"]) for _, guess in pairs]
    truth = [row for row, _ in pairs]
    if not name.endswith(".evaluate"):
        loader = [
            ([{"label": row["label"]}], s[None]) for row, s in zip(truth, scores, strict=True)
        ]
        opt = SimpleNamespace(model_name="", dset_name=kind, device="cpu", pin_memory=False)
        told = {"epoch_i": 0, "model": Shown(), "eval_loader": loader, "opt": opt}
        return float(function(**told)[0]["mAP"])
    if "blobs" in function.__code__.co_varnames:
        blobs: list[Any] = [
            {"saliency": s, "label": {"anno": row["label"], "match": [x[0] for x in row["label"]]}}
            for row, s in zip(truth, scores, strict=True)
        ]
    else:
        blobs = [s[None] for s in scores]
    return float(function(Videos(kind, truth), blobs)["mAP"])


def domain_cells(
    folders: dict[str, Path], dataset: str, truth: Path, guess: Path, name: str
) -> Iterator[Cell]:
    ours = evaluate_files(guess, GroundTruth(truth, dataset))
    by_qid = {row["qid"]: row for row in rows_of(guess)}
    domains: dict[str, list[tuple[Row, Row]]] = {}
    for row in rows_of(truth):
        domains.setdefault(row["domain"], []).append((row, by_qid[row["qid"]]))
    for peer, folder in folders.items():
        if not PEERS[peer].highlights:
            continue
        for domain, pairs in sorted(domains.items()):
            theirs = peer_score(PEERS[peer], folder, dataset, pairs)
            low, own, high = bounds(ours, domain)
            same = round(low / 100, 5) <= theirs <= round(high / 100, 5)
            yield Cell(peer, f"{dataset}, {name}", domain, 100 * theirs, own, same)


def bounds(ours: Row, domain: str) -> tuple[float, float, float]:
    """Return the lowest score of all orders of tied clips, the score in list order, the highest."""
    name = next(key for key in ours["brief"] if key.endswith(domain))
    own, ties = ours["brief"][name], ours.get("ties") or {}
    tie = ties.get(name, {"least": own, "greatest": own})
    return tie["least"], own, tie["greatest"]


# ------------------------------------------------------------------------------- the table


def all_cells(arguments: argparse.Namespace, scratch: Path) -> Iterator[Cell]:
    folders = {name: Path(folder).resolve() for name, folder in arguments.peer}
    for dataset, truth_file, *guesses in arguments.moments:
        truth = write(scratch / "truth.jsonl", rows := rows_of(Path(truth_file)))
        for guess in guesses:
            plain = write(scratch / "guess.jsonl", rows_of(Path(guess)))
            yield from moment_cells(folders, dataset, truth, plain, Path(guess).name)
        first = rows_of(Path(guesses[0]))
        yield from changed_cells(folders, dataset, truth, rows, first)
    for dataset, truth_file in arguments.made:
        truth = write(scratch / "truth.jsonl", rows := rows_of(Path(truth_file)))
        if dataset in BY_DOMAIN:
            for name, ties in (("different scores", False), ("tied scores", True)):
                guess = write(scratch / "guess.jsonl", made_scores(rows, ties))
                yield from domain_cells(folders, dataset, truth, guess, name)
            continue
        first = made_windows(rows)
        guess = write(scratch / "guess.jsonl", first)
        yield from moment_cells(folders, dataset, truth, guess, "made windows")
        yield from changed_cells(folders, dataset, truth, rows, first)


def changed_cells(
    folders: dict[str, Path], dataset: str, truth: Path, rows: list[Row], first: list[Row]
) -> Iterator[Cell]:
    for name, change in CHANGES.items():
        guess = write(truth.with_name("guess.jsonl"), changed(first, rows, change))
        yield from moment_cells(folders, dataset, truth, guess, name)


def print_table(cells: Iterator[Cell]) -> list[Cell]:
    """Print a row as soon as a peer has scored a file, then the cells that differ; all cells."""
    found: list[Cell] = []
    print("| predictions | peer | cells | differing | no moment |\n|" + " --- |" * 5)
    for (predictions, peer), group in groupby(cells, lambda cell: (cell.predictions, cell.peer)):
        found += (some := list(group))
        empty = sum(cell.empty for cell in some)
        counts = f"{len(some) - empty} | {sum(map(differs, some))} | {empty}"
        print(f"| {predictions} | {peer} | {counts} |", flush=True)
    for cell in found:
        if differs(cell):
            own = "none" if cell.ours is None else f"{cell.ours:.2f}"
            place = f"{cell.peer}, {cell.predictions}, {cell.name}"
            print(f"differs: {place}: {cell.theirs:.2f}, ours {own}")
    empty = [cell for cell in found if cell.empty]
    for peer, group in groupby(sorted(empty, key=lambda cell: cell.peer), lambda cell: cell.peer):
        theirs = sorted({cell.theirs for cell in group})
        told = ", ".join(f"{x:.2f}" for x in theirs[:5]) + (", …" if len(theirs) > 5 else "")
        print(f"no moment in the group, null in rdmf: {peer} prints {told}")
    print(f"{len(found) - len(empty)} cells, {sum(map(differs, found))} differ")
    return found


def differs(cell: Cell) -> bool:
    return not cell.same and not cell.empty


def main(told: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", nargs=2, action="append", default=[], metavar=("NAME", "FOLDER"))
    parser.add_argument(
        "--moments", nargs="+", action="append", default=[], metavar="DATASET TRUTH PREDICTIONS"
    )
    parser.add_argument(
        "--made", nargs=2, action="append", default=[], metavar=("DATASET", "TRUTH")
    )
    parser.add_argument("--csv", type=Path, help="write every cell: the peer's number and ours")
    arguments = parser.parse_args(told)
    for name, _ in arguments.peer:
        if name not in PEERS:
            parser.error(f"--peer {name}: choose from {', '.join(PEERS)}")
    for dataset, *files in (*arguments.moments, *arguments.made):
        if dataset not in DATASETS or not files:
            parser.error(f"{dataset}: no such dataset; choose from {DATASETS.names()}")
    with tempfile.TemporaryDirectory() as scratch:
        found = print_table(all_cells(arguments, Path(scratch)))
    if arguments.csv:
        with arguments.csv.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([Cell._fields, *found])
    return int(any(map(differs, found)))


if __name__ == "__main__":
    sys.exit(main())

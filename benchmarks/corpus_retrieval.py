"""Search a whole library with one query: how high is the right moment in the list?

    python benchmarks/corpus_retrieval.py FEATURES [--queries 300] [--exhaustive 24] [--seed 0]
        [--candidates 24] [--done FILE]

In the field this task is called video corpus moment retrieval (VCMR): one list ranks the moments of
all videos of a split. A query is answered at rank r if the r-th moment is in the video of the query
and has IoU >= t. FEATURES holds QVHighlights in the field's layout (`video/`, `text/` with
`background.npz`, `val.jsonl`); clips and sentences lie in one space. Four ways to make the list are
compared, on the same features and queries:

two stages    the nearest clips choose the candidates, and the head reads the candidates, as in
              `rdmf search`: 24 candidates, and 100 for R@100
exhaustive    the head reads every video (only for `--exhaustive` of the queries, because each query
              takes seconds)
shots         a row per shot, and per 10 s of a long shot, ranked by cosine
chunks        the mean of every 30 s, with an overlap of 5 s, ranked by cosine

`--done FILE` stores each answer; the same command then continues where an earlier run ended.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.change import visual_change
from rdmf_cli.channels.query import QueryFeatures
from rdmf_cli.features import VideoFeatures, normalise_rows
from rdmf_cli.heads.registry import load_head
from rdmf_cli.library.opening import OpenVideos
from rdmf_cli.library.search import Limits, search

CLIP = 2.0
TOP = 10  # moments that a search lists
RANKS, OVERLAPS = (1, 10, 100), (0.5, 0.7)
CUT = 2.5  # a shot ends at a visual change of this many medians of the video
EVERY, CHUNK, OVERLAP = 5, 15, 2.5  # clips: 10 s of a long shot; a chunk of 30 s, 5 s shared
YARDSTICK = 8  # videos whose middle clips set the scale of cosines

Moments = Iterator[tuple[str, float, float]]
Answer = dict[str, Any]


class Corpus:
    """The videos of a split and their queries."""

    def __init__(self, folder: Path, split: str):
        self.folder = folder
        lines = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        self.queries = [json.loads(line) for line in lines]
        durations = {row["vid"]: float(row["duration"]) for row in self.queries}
        self.videos = OpenVideos()
        for vid, duration in sorted(durations.items()):
            rows = np.load(folder / "video" / f"{vid}.npz")["features"]
            self.videos.add(vid, VideoFeatures(rows, duration, CLIP, 0.0, "captions", "none"))
        with np.load(folder / "text" / "background.npz") as file:
            self.background = normalise_rows(file["pooler_output"])
        middle = [features.rows[len(features.rows) // 2] for features in self.videos.opened]
        few = normalise_rows(np.stack(middle[:: len(middle) // YARDSTICK]))
        self.scale = Background.of(few @ self.background.T)

    def query(self, qid: int) -> QueryFeatures:
        with np.load(self.folder / "text" / f"qid{qid}.npz") as file:
            sentence = normalise_rows(file["pooler_output"])
            words = normalise_rows(file["last_hidden_state"][:32])
        return QueryFeatures(sentence, words, self.background, self.scale)


class ByCosine:
    """What other tools do: units of fixed length, one row per unit, ranked by cosine."""

    def __init__(self, corpus: Corpus, units: Callable[[np.ndarray], Iterator[tuple[slice, int]]]):
        rows, self.spans = [], []
        for vid, features in zip(corpus.videos.paths, corpus.videos.opened, strict=True):
            clips = normalise_rows(features.rows)
            for part, middle in units(clips):
                shown = clips[part].mean(0) if middle < 0 else clips[middle]
                rows.append(normalise_rows(shown))
                self.spans.append(
                    (vid, CLIP * part.start, min(CLIP * part.stop, features.duration))
                )
        self.rows = np.stack(rows)

    def __call__(self, query: QueryFeatures) -> Moments:
        order = np.argsort(-(self.rows @ query.sentence), kind="stable")[: max(RANKS)]
        return (self.spans[i] for i in order)


def shots(clips: np.ndarray) -> Iterator[tuple[slice, int]]:
    """Divide videos into shots by visual change; divide long shots into parts of 10 s."""
    change = visual_change(clips)
    cuts = np.flatnonzero(change > CUT * max(float(np.median(change)), 1e-3)) + 1
    edges = [0, *cuts.tolist(), len(clips)]
    for start, stop in itertools.pairwise(edges):
        for part in range(start, stop, EVERY):
            yield slice(start, stop), min(part + EVERY // 2, stop - 1)


def chunks(clips: np.ndarray) -> Iterator[tuple[slice, int]]:
    """Divide videos into chunks of 30 s that overlap by 5 s."""
    for start in np.arange(0, max(len(clips) - OVERLAP, 1), CHUNK - OVERLAP):
        yield slice(int(start), min(int(start) + CHUNK, len(clips))), -1


def listed(
    corpus: Corpus, candidates: int | None, top_k: int
) -> Callable[[QueryFeatures], Moments]:
    head = load_head()

    def answer(query: QueryFeatures) -> Moments:
        found = search(corpus.videos, query, head, Limits(top_k, candidates=candidates))
        return ((one.video, one.start, one.end) for one in found)

    return answer


def iou(a: tuple[float, float], b: tuple[float, float]) -> float:
    both = min(a[1], b[1]) - max(a[0], b[0])
    return max(both, 0.0) / (max(a[1], b[1]) - min(a[0], b[0]))


def ranks(moments: Moments, row: dict[str, Any]) -> dict[str, int]:
    """Return the rank of the first right moment at each IoU, and of the right video; 0: none."""
    found = dict.fromkeys(("video", *map(str, OVERLAPS)), 0)
    for rank, (vid, start, end) in enumerate(moments, 1):
        if vid != row["vid"]:
            continue
        best = max(iou((start, end), tuple(window)) for window in row["relevant_windows"])
        for name, least in (("video", 0.0), *((str(t), t) for t in OVERLAPS)):
            if not found[name] and best >= least:
                found[name] = rank
    return found


def measured(args: argparse.Namespace) -> list[Answer]:
    corpus = Corpus(args.features, args.split)
    drawn = random.Random(args.seed).sample(corpus.queries, args.queries)
    ways = {
        "shots": (ByCosine(corpus, shots), drawn),
        "chunks": (ByCosine(corpus, chunks), drawn),
        "two stages": (listed(corpus, args.candidates, TOP), drawn),
        "two stages, 100": (listed(corpus, max(RANKS), max(RANKS)), drawn),
        "exhaustive": (listed(corpus, None, max(RANKS)), drawn[: args.exhaustive]),
    }
    _ = corpus.videos.index
    kept = args.done.read_text().splitlines() if args.done and args.done.exists() else []
    answers: list[Answer] = [json.loads(line) for line in kept]
    known = {(answer["way"], answer["qid"]) for answer in answers}
    for way, (ask, rows) in ways.items():
        for row in rows:
            if (way, row["qid"]) in known:
                continue
            query = corpus.query(row["qid"])
            begun = time.perf_counter()
            found = list(ask(query))
            seconds = time.perf_counter() - begun
            answers.append({"way": way, "qid": row["qid"], "s": seconds, **ranks(iter(found), row)})
            if args.done:
                with args.done.open("a") as file:
                    file.write(json.dumps(answers[-1]) + "\n")
    return answers


def table(answers: list[Answer], qids: set[int], title: str) -> Table:
    heads = ["", "queries", "s per query"]
    heads += [f"R@{r} IoU {t}" for t in OVERLAPS for r in RANKS]
    shown = Table(*heads, *[f"video R@{r}" for r in RANKS], title=title, box=box.SIMPLE_HEAD)
    for way in dict.fromkeys(answer["way"] for answer in answers):
        own = [answer for answer in answers if answer["way"] == way and answer["qid"] in qids]
        names = [*map(str, OVERLAPS), "video"]
        recall = [
            f"{100 * np.mean([0 < one[name] <= r for one in own]):.1f}"
            for name in names
            for r in RANKS
        ]
        seconds = float(np.median([one["s"] for one in own]))
        shown.add_row(way, str(len(own)), f"{seconds:.3f}", *recall)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--exhaustive", type=int, default=24)
    parser.add_argument("--candidates", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--done", type=Path)
    answers = measured(parser.parse_args())
    every = {answer["qid"] for answer in answers if answer["way"] == "shots"}
    paired = {answer["qid"] for answer in answers if answer["way"] == "exhaustive"}
    console = Console(width=160)
    console.print(table([a for a in answers if a["way"] != "exhaustive"], every, "all queries"))
    if paired:
        console.print(table(answers, paired, f"the {len(paired)} that were asked exhaustively"))


if __name__ == "__main__":
    main()

"""Measure a library of 1,000 hours: time, memory and recall of a query, compared with exact search.

    python benchmarks/thousand_hours.py FEATURES [--hours 1000] [--folder DIR] [--queries 100]

FEATURES are the features of benchmarks/corpus_retrieval.py. The clips are artificial: they are
copies of the videos of FEATURES, each with its own noise (`--noise`: the length of the noise, if
the feature of a clip has length 1). To show how similar they are to real clips, the report compares
cosines: for as many clips as FEATURES has, the cosines of a query and its 1st, 10th, 50th and 100th
nearest clip, as quantiles over queries, in real and in artificial videos.

index     clips per second, for existing features: write, make codes, list
growth    seconds to add 1 % more videos
nearest   the ten nearest clips, in a running process: time, and recall against all cosines
question  candidates, their features, the head, spans; the query is encoded already

The queries run in their own process, and its peak memory is reported (pages of memory-mapped files
that the process read count). The rows are removed afterwards, unless `--folder` names a place for
them; a second run with this folder and the same options only runs the queries.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from corpus_retrieval import CLIP, Corpus
from rich import box
from rich.console import Console
from rich.table import Table

from rdmf_cli.channels.query import QueryFeatures
from rdmf_cli.features import VideoFeatures, normalise_rows
from rdmf_cli.features.said import Said
from rdmf_cli.heads.registry import load_head
from rdmf_cli.library.coded import CodedIndex
from rdmf_cli.library.search import Limits, search
from rdmf_cli.library.segments import Clips, Entry, clips_of

SHARE = 0.01  # the share by which the library grows
RANKS = (1, 10, 50, 100)
QUANTILES = (0.1, 0.5, 0.9)
COUNT = 10
BLOCK = 512  # number of videos that the exact search compares at once


class MadeUp:
    """Artificial videos: real videos with noise; the time to make them is measured separately."""

    def __init__(self, corpus: Corpus, noise: float):
        self.real = [normalise_rows(features.rows) for features in corpus.videos.opened]
        self.noise, self.seconds = noise, 0.0

    def rows(self, video: int) -> np.ndarray:
        begun = time.perf_counter()
        real = self.real[video % len(self.real)]
        draw = np.random.default_rng(video)
        added = draw.standard_normal(real.shape, dtype=np.float32) / np.sqrt(real.shape[1])
        rows = normalise_rows(real + self.noise * added)
        self.seconds += time.perf_counter() - begun
        return rows

    def entries(self, videos: int) -> list[Entry]:
        def entry(video: int) -> Entry:
            clips = len(self.real[video % len(self.real)])
            return Entry(f"{video}.safetensors", clips, lambda: self.rows(video))

        return [entry(video) for video in range(videos)]

    def videos_of(self, hours: float) -> int:
        per_round = sum(map(len, self.real))
        return max(1, round(hours * 3600 / CLIP * len(self.real) / per_round))


class Opened:
    """A collection that reads features from the file of the clips."""

    def __init__(self, clips: Sequence[Clips]):
        self._clips = clips
        self.clips = [len(one.features) for one in clips]
        self.index = CodedIndex((n, c.rows, c.codes) for n, c in enumerate(clips))

    def path(self, video: int) -> str:
        return f"{video}"

    def features(self, video: int) -> VideoFeatures:
        known = self._clips[video].rows
        rows = known[np.arange(len(known))].astype(np.float16)
        return VideoFeatures(rows, CLIP * len(rows), CLIP, 0.0, "captions", "none")

    def failed(self, error: Exception) -> None:
        raise error

    def spoken(self, video: int) -> Said:
        return Said(())

    def saying(self, words: Iterable[str], count: int) -> list[int]:
        return []


def cosines(parts: Iterator[np.ndarray], queries: np.ndarray, count: int) -> np.ndarray:
    """Return the highest cosines of each query, (Q, count); the clips come in parts."""
    best = np.full((len(queries), count), -np.inf, np.float32)
    for rows in parts:
        every = np.concatenate([best, queries @ rows.T], axis=1)
        best = np.partition(every, every.shape[1] - count)[:, -count:]
    return -np.sort(-best)


def exact(clips: Sequence[Clips], queries: np.ndarray, count: int) -> np.ndarray:
    """Return the `count`-th highest cosine of each query, which a nearest clip must reach."""
    blocks = range(0, len(clips), BLOCK)
    parts = (np.concatenate([c.features for c in clips[at : at + BLOCK]]) for at in blocks)
    return cosines(parts, queries, count)[:, -1]


def likeness(made: MadeUp, queries: np.ndarray) -> Table:
    """Return the cosines of the nearest clips, in real videos and in artificial videos."""
    copies = range(len(made.real), 2 * len(made.real))  # a copy with different noise
    real = cosines(iter(made.real), queries, max(RANKS))
    alike = cosines(map(made.rows, copies), queries, max(RANKS))
    shown = Table("nearest", *[f"{q:g}: real, made up" for q in QUANTILES], box=box.SIMPLE_HEAD)
    for rank in RANKS:
        a, b = (np.quantile(found[:, rank - 1], QUANTILES) for found in (real, alike))
        shown.add_row(str(rank), *[f"{x:.3f}, {y:.3f}" for x, y in zip(a, b, strict=True)])
    return shown


def asked(
    folder: Path, entries: list[tuple[str, int]], queries: list[QueryFeatures], least: np.ndarray
) -> Iterator[tuple[str, Any]]:
    """Run the queries in this process; yield names and numbers."""
    begun = time.perf_counter()
    clips = clips_of(folder, [Entry(n, c, lambda: np.zeros((0, 0))) for n, c in entries], True)
    opened, head = Opened(clips), load_head()
    opened.index.nearest(queries[0].sentence, COUNT)
    yield "opened in (s)", f"{time.perf_counter() - begun:.2f}"
    times, recall = [], []
    for query, bound in zip(queries, least, strict=True):
        begun = time.perf_counter()
        found = opened.index.nearest(query.sentence, COUNT)
        times.append(time.perf_counter() - begun)
        recall.append(float(np.mean(found.cosine >= bound - 1e-6)))
    yield f"nearest {COUNT} clips (ms): median, 99 %", quantiles(times)
    yield f"recall@{COUNT} of clips", f"{np.mean(recall):.4f}"
    for candidates in (64, 24, 16, 10):
        times, used = [], []
        search(opened, queries[0], head, Limits(candidates=candidates))
        for query in queries[:40]:
            begun, cpu = time.perf_counter(), time.process_time()
            search(opened, query, head, Limits(candidates=candidates))
            times.append(time.perf_counter() - begun)
            used.append(time.process_time() - cpu)
        yield f"question, {candidates} videos read (ms): median, 99 %", quantiles(times)
        yield f"question, {candidates} videos read, CPU (ms): median, 99 %", quantiles(used)
    yield "peak memory (MB)", f"{peak_megabytes():.0f}"


def peak_megabytes() -> float:
    """Return the peak of this process alone: `ru_maxrss` begins with the parent's on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def quantiles(times: Sequence[float]) -> str:
    return ", ".join(f"{1000 * np.quantile(times, q):.1f}" for q in (0.5, 0.99))


def child(folder: Path, given: Path, out: Path) -> None:
    """Run the queries in a new process, so that the parent's memory does not count."""
    with np.load(given, allow_pickle=True) as file:
        entries, queries, least = file["entries"].item(), file["queries"].item(), file["least"]
    out.write_text(json.dumps(list(asked(folder, entries, queries, least))))


def measured(folder: Path, args: argparse.Namespace) -> Iterator[Table]:
    corpus = Corpus(args.features, "val")
    made = MadeUp(corpus, args.noise)
    queries = [corpus.query(row["qid"]) for row in corpus.queries[: args.queries]]
    sentences = np.stack([query.sentence for query in queries])
    yield likeness(made, sentences[:40])
    videos = made.videos_of(args.hours)
    entries = made.entries(videos + max(1, int(SHARE * videos)))
    total = sum(entry.clips for entry in entries[:videos])
    shown = Table("measured", f"{args.hours:g} hours, {total:,} clips", box=box.SIMPLE_HEAD)
    made.seconds, begun = 0.0, time.perf_counter()
    clips_of(folder, entries[:videos], with_codes=True)
    if made.seconds:  # otherwise an earlier run has written them
        spent = time.perf_counter() - begun - made.seconds
        shown.add_row("index (clips per second)", f"{total / spent:,.0f}")
        made.seconds, begun = 0.0, time.perf_counter()
        clips_of(folder, entries, with_codes=True)
        spent = time.perf_counter() - begun - made.seconds
        shown.add_row(f"growth by {SHARE:.0%} (s)", f"{spent:.2f}")
    clips = clips_of(folder, entries, with_codes=True)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.suffix in (".npy", ".json"))
    shown.add_row("on disk (MB)", f"{size / 1e6:.0f}")
    given, out = folder / "given.npz", folder / "out.txt"
    about = [(entry.name, entry.clips) for entry in entries]
    if not (known := folder / "least.npy").exists():
        np.save(known, exact(clips, sentences, COUNT))
    least = np.load(known)
    with given.open("wb") as file:
        boxes = {"entries": _boxed(about), "queries": _boxed(queries)}
        np.savez(file, least=least, **boxes)
    process = multiprocessing.get_context("spawn").Process(target=child, args=(folder, given, out))
    process.start()
    process.join()
    for name, value in json.loads(out.read_text()):
        shown.add_row(name, value)
    yield shown


def _boxed(value: object) -> np.ndarray:
    held = np.empty((), object)
    held[()] = value
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("--hours", type=float, default=1000.0)
    parser.add_argument("--noise", type=float, default=0.15)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp()) if args.folder is None else args.folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for table in measured(folder, args):
            Console(width=100).print(table)
    finally:
        if args.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()

"""Exact ends: how far starts and ends of moments are from the truth, with and without --refine.

    python benchmarks/exact_ends.py JOINED... [--clip-length 2]

JOINED is a folder of videos joined from clips: `videos/<vid>.mp4` and `val.jsonl`, whose lines have
`vid`, `query`, and the true span in `relevant_windows`. `exact.jsonl`, if there is one, has the
same lines with spans that are exact to the frame; lengths of clips in seconds, added up, miss the
frames by a little more with each clip.

Prints R1@0.5 and R1@0.7, and mean and median error of starts and ends over the best moments with
an IoU of 0.5 or more; with exact.jsonl, also for an oracle, which moves an end to the exact time if
that is at most 2 s away. Then the reasons of what is wrong by more than 0.02 s with --refine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rdmf_cli.api import Searcher
from rdmf_cli.handover.ends import refined

Span = tuple[float, float]
FOUND = 0.5  # IoU
REACH = 2.0  # seconds; --refine looks no further


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="JOINED")
    parser.add_argument("--clip-length", type=float, default=2.0)
    args = parser.parse_args()
    searcher = Searcher(encoder="embedded", clip_length=args.clip_length)
    for folder in args.folders:
        measure(folder, searcher)


def measure(folder: Path, searcher: Searcher) -> None:
    """Ask each query of a folder, and print the errors of the best moments."""
    truths = {path.name: lines(path) for path in sorted(folder.glob("*.jsonl")) if is_truth(path)}
    by_video: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, row in enumerate(truths["val.jsonl"]):
        by_video[row["vid"]].append((number, row["query"]))
    plain: dict[int, Span] = {}
    exact: dict[int, Span] = {}
    seconds = 0.0
    for vid, asked in by_video.items():
        answers = searcher.ask(
            folder / "videos" / f"{vid}.mp4", [query for _, query in asked], top_k=1
        )
        for (number, _), answer in zip(asked, answers, strict=True):
            plain[number] = (answer.moments[0].start, answer.moments[0].end)
            begun = time.perf_counter()
            (moment,) = refined(answer).moments
            seconds += time.perf_counter() - begun
            exact[number] = (moment.start, moment.end)
    print(f"{folder}: {len(plain)} queries, --refine takes {seconds / len(plain):.2f} s per moment")
    rows = {"without": in_order(plain), "with": in_order(exact)}
    best = spans_of(truths.get("exact.jsonl", truths["val.jsonl"]))
    rows["oracle"] = [oracle(span, true) for span, true in zip(rows["without"], best, strict=True)]
    for name, lines_of_file in truths.items():
        for what, spans in rows.items():
            print(f"{name:12} {what:8} {row_of(spans_of(lines_of_file), spans)}")
    print(reasons(best, rows["without"], rows["with"]))


def in_order(spans: dict[int, Span]) -> list[Span]:
    return [spans[number] for number in range(len(spans))]


def spans_of(rows: Sequence[dict[str, Any]]) -> list[Span]:
    return [(w[0], w[1]) for row in rows for w in row["relevant_windows"]]


def oracle(span: Span, true: Span) -> Span:
    start, end = (b if abs(a - b) <= REACH else a for a, b in zip(span, true, strict=True))
    return start, end


def reasons(true: Sequence[Span], plain: Sequence[Span], exact: Sequence[Span]) -> str:
    """Count the ends that are still wrong, by how far the head was wrong."""
    found = [iou(a, b) >= FOUND for a, b in zip(true, exact, strict=True)]
    head = np.abs(np.asarray(true) - np.asarray(plain))[found].ravel()
    left = np.abs(np.asarray(true) - np.asarray(exact))[found].ravel()
    wrong, far = left > 0.02, head > REACH
    share = 100 * left[wrong & far].sum() / left.sum()
    return (
        f"{len(left)} ends, {wrong.sum()} wrong; of these, the head is wrong by over {REACH:g} s "
        f"for {(wrong & far).sum()} ({share:.0f} % of the sum of errors); "
        f"{(wrong & ~far & (left < 0.07)).sum()} others are wrong by less than 0.07 s"
    )


def is_truth(path: Path) -> bool:
    return path.name in ("val.jsonl", "exact.jsonl")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def row_of(true: Sequence[Span], found: Sequence[Span]) -> str:
    """Write the scores of the best moments as a row."""
    overlaps = np.array([iou(a, b) for a, b in zip(true, found, strict=True)])
    ends = np.abs(np.asarray(true) - np.asarray(found))[overlaps >= FOUND]
    recall = " ".join(f"R1@{t} {100 * (overlaps >= t).mean():.1f}" for t in (0.5, 0.7))
    errors = f"mean {ends.mean():.3f} s, median {np.median(ends):.3f} s"
    off = 100 * (ends > 0.1).mean()
    return f"{recall}, error of an end: {errors}, above 0.1 s: {off:.0f} %"


def iou(a: Span, b: Span) -> float:
    both = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return both / (max(a[1], b[1]) - min(a[0], b[0]))


if __name__ == "__main__":
    main()

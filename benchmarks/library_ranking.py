"""Rank real videos: is the video that shows a caption first, and how certain is the ranking?

    python benchmarks/library_ranking.py CHOOSE [REPORT] [--clip-length 2] [--encoder embedded]

CHOOSE and REPORT are folders of joined clips (`videos/`, `val.jsonl`, `absent.jsonl`), made from
the two halves of a list of captioned clips. Every caption is a query on every video. For each
folder, the report shows:

first   the share of pairs of a caption and a video that shows it, in which this video ranks above
        all videos that do not show the caption
AUROC   of pairs that show the caption against pairs that do not
missed  the share of shown pairs below the line; false: the share of other pairs above the line

Errors (+-) are standard deviations over 500 draws of the clips with replacement, together with
their captions. "own clip first" shows the ability of the encoder without any ranking of videos:
each caption is compared with the clips themselves (the two best frames of each clip, the median
over the videos of the caption). A video is first if its clip is first, because all other videos
together hold all other clips. A number that is not a probability has no line. The weights of
relevance are fitted again on CHOOSE, by logistic regression with equal weights for shown pairs and
other pairs, and printed beside the weights in use.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.table import Table

from rdmf_cli import Searcher
from rdmf_cli.api.searching import encode_query
from rdmf_cli.channels.query import Term
from rdmf_cli.features import Selection, extract, normalise_rows
from rdmf_cli.library import ranking
from rdmf_cli.library.opening import OpenVideos
from rdmf_cli.library.search import search

Array = npt.NDArray[np.float64]
STEPS, RIDGE = 60, 1e-4
DRAWS = 500


class Pairs(NamedTuple):
    """The results of every caption as a query on every video, (Q, V) each."""

    shown: npt.NDArray[np.bool_]
    match: Array
    presence: Array  # log-odds
    score: Array

    @property
    def relevance(self) -> Array:
        """The log-odds of relevance as `rdmf search` ranks."""
        joined = ranking.OF_MATCH * self.match + ranking.OF_PRESENCE * self.presence
        return joined + ranking.OFFSET


def asked(folder: Path, searcher: Searcher) -> Pairs:
    """Use every caption as a query on every video."""
    shown = _rows(folder / "val.jsonl")
    captions = sorted({row["query"] for row in shown + _rows(folder / "absent.jsonl")})
    vids = sorted({row["vid"] for row in shown})
    truth = {(row["query"], row["vid"]) for row in shown}
    opened = [_opened(folder / "videos" / f"{vid}.mp4", searcher) for vid in vids]
    found = np.zeros((3, len(captions), len(vids)))
    for i, caption in enumerate(captions):
        query = encode_query(searcher, [Term(caption)])
        for j, video in enumerate(opened):
            (one,) = search(video, query, searcher.loaded_head)
            presence = float(np.log(one.presence) - np.log1p(-one.presence))
            rest = np.log(one.relevance) - np.log1p(-one.relevance) - ranking.OFFSET
            found[:, i, j] = (
                (rest - ranking.OF_PRESENCE * presence) / ranking.OF_MATCH,
                presence,
                one.score,
            )
    return Pairs(np.array([[(c, v) in truth for v in vids] for c in captions]), *found)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _opened(path: Path, searcher: Searcher) -> OpenVideos:
    video = OpenVideos()
    encoder, length = searcher.loaded_encoder, searcher.clip_length
    video.add(path.stem, extract(path, encoder, Selection(length), store=searcher.store))
    return video


def first(pairs: Pairs, value: Array) -> float:
    """Return the percentage of shown pairs that rank above all videos without the caption."""
    right = [row[shown] > row[~shown].max() for row, shown in zip(value, pairs.shown, strict=True)]
    return 100 * float(np.concatenate(right).mean())


def clips_alone(folder: Path, searcher: Searcher) -> tuple[float, float, int]:
    """Return the percentages of captions whose own clip is first, and among the first five."""
    windows = _rows(folder / "val.jsonl")
    shown: dict[str, list[Array]] = {}
    for row in windows:
        rows = _opened(folder / "videos" / f"{row['vid']}.mp4", searcher).opened[0].rows
        length = searcher.clip_length
        middles = (np.arange(len(rows)) + 0.5) * length
        start, end = row["relevant_windows"][0]
        if (inside := (middles > start) & (middles < end)).any():
            shown.setdefault(row["query"], []).append(normalise_rows(rows[inside]))
    captions = sorted(shown)
    queries = [encode_query(searcher, [Term(caption)]).sentence for caption in captions]
    found = np.array(
        [
            [np.median([np.sort(rows @ query)[-2:].mean() for rows in shown[c]]) for c in captions]
            for query in queries
        ]
    )
    above = (found > np.diag(found)[:, None]).sum(axis=1)
    return 100 * float((above < 1).mean()), 100 * float((above < 5).mean()), len(captions)


def error(pairs: Pairs, value: Array, measure: Callable[[Pairs, Array], float]) -> float:
    """Return the standard deviation of a measure over draws of the captions with replacement."""
    draw = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        drawn = draw.integers(0, len(value), len(value))
        found.append(measure(pairs._replace(shown=pairs.shown[drawn]), value[drawn]))
    return float(np.std(found))


def auroc(pairs: Pairs, value: Array) -> float:
    """Return the area under the curve of shown against other pairs; equal values count half."""
    a, b = value[pairs.shown], np.sort(value[~pairs.shown])
    below = np.searchsorted(b, a) + np.searchsorted(b, a, side="right")
    return float(below.mean() / (2 * len(b)))


def fitted(pairs: Pairs) -> Array:
    """Fit the weights of match and presence, and the offset, by Newton's method."""
    y = pairs.shown.ravel()
    x = np.column_stack([pairs.match.ravel(), pairs.presence.ravel(), np.ones(y.size)])
    importance = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean())) / y.size
    ridge, w = np.diag([RIDGE, RIDGE, 0.0]), np.zeros(3)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(x @ w, -50, 50)))
        slope = x.T @ (importance * (chance - y)) + ridge @ w
        curve = (x * (importance * chance * (1 - chance))[:, None]).T @ x + ridge
        w -= np.linalg.solve(curve, slope)
    return w


def report(name: str, pairs: Pairs) -> Table:
    """Print one row for each number by which videos could be ranked."""
    title = f"{name}: {pairs.shown.sum()} shown, {(~pairs.shown).sum()} not shown"
    shown = Table(
        "ranked by", "first %", "AUROC", "missed %", "false %", title=title, box=box.SIMPLE
    )
    numbers = {"score": pairs.score, "presence": pairs.presence, "match": pairs.match}
    for which, value in {**numbers, "relevance": pairs.relevance}.items():
        cells = [
            f"{first(pairs, value):.1f} +- {error(pairs, value, first):.1f}",
            f"{auroc(pairs, value):.3f} +- {error(pairs, value, auroc):.3f}",
            *("", ""),
        ]
        if which in ("presence", "relevance"):
            cells[2] = f"{100 * (value[pairs.shown] < 0).mean():.1f}"
            cells[3] = f"{100 * (value[~pairs.shown] >= 0).mean():.1f}"
        shown.add_row(which, *cells)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("choose", type=Path)
    parser.add_argument("report", type=Path, nargs="?")
    parser.add_argument("--clip-length", type=float, default=2.0)
    parser.add_argument("--encoder", default="embedded")
    args = parser.parse_args()
    searcher = Searcher(encoder=args.encoder, clip_length=args.clip_length)
    console = Console(width=100)
    chosen = asked(args.choose, searcher)
    console.print(report("chooses", chosen))
    if args.report:
        console.print(report("reports", asked(args.report, searcher)))
    for folder in filter(None, (args.choose, args.report)):
        best, five, count = clips_alone(folder, searcher)
        console.print(f"{folder.name}: own clip first {best:.1f} %, of {count}; R@5 {five:.1f} %")
    used = ranking.OF_MATCH, ranking.OF_PRESENCE, ranking.OFFSET
    console.print(f"weights in use (match, presence, offset): {used}")
    console.print(f"fitted on what chooses: {tuple(fitted(chosen).round(3).tolist())}")


if __name__ == "__main__":
    main()

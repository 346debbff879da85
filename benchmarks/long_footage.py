"""Check that an answer means the same in three minutes and in many hours of video.

    python benchmarks/long_footage.py FEATURES [--queries N] [--head PATH] [--kinds ...]

The queries are those of QVHighlights-captions val. FEATURES is a folder in the field's layout with
text/background.npz, as for learned_head.py. The shipped head and the training-free head answer
queries on these kinds of footage:

one video          the video as it is annotated
among N others     the video at a random place between N whole videos of other YouTube ids. The true
                   moments are the moments of the one video. The other videos may show the query,
                   too; nobody has checked this, and it is likelier for more videos
N times            the video N times in sequence: every copy of a true window is true. If a window
                   ends where a copy ends, and the next copy begins with a window, both are one
                   window, because a viewer sees only one moment
40 % repeated      four clips in ten repeat the clip before (static footage)

R1 uses the first moment, mAP uses ten moments (for N copies: 10 N). Presence of the video's own
query is compared with presence of a query of a video with other YouTube ids: the report shows the
AUROC, and the shares of absent queries and of shown queries with a presence above 0.5.

Then the example video is repeated, and the length of the first five moments of every query is
measured. With --head, another trained head answers in place of the shipped head: `--head RUN
--kinds "one video" "40 % repeated"` shows the effect of repeats on a full head.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from fusion_ablation import samples_of
from learned_head import auroc

from rdmf_cli.channels.background import Background
from rdmf_cli.channels.question import Question
from rdmf_cli.datasets import Sample, Samples
from rdmf_cli.datasets import disturbances as disturb
from rdmf_cli.datasets.disturbances import footage_of, sample_in
from rdmf_cli.datasets.split import video_of
from rdmf_cli.evaluation.detection import average_precision
from rdmf_cli.evaluation.overlap import iou_over_hull, to_grid
from rdmf_cli.evaluation.qvhighlights import SALIENCY_LEVELS, relevance
from rdmf_cli.features import normalise_rows
from rdmf_cli.heads.base import Head
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.heads.registry import load_head
from rdmf_cli.heads.training_free.head import TrainingFree

MOMENTS = 10  # per copy
SHOWN = 0.5  # a query with at least this presence counts as shown
REPEATED = 0.4
EXAMPLE_COPIES = (4, 15, 50, 200)
EXAMPLE_QUERIES = (
    "a brick wall", "a smiling woman", "a dog", "the face of a cat", "a rocket", "old coins",
    "an astronaut", "a cup of coffee", "a man with a camera", "stars in the night sky",
    "a car on a road", "people at a table",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of footage: the video among other videos, or repeated."""

    name: str
    others: int = 0
    copies: int = 1
    repeated: float = 0.0


KINDS = (
    Kind("one video"),
    *(Kind(f"among {n} others", others=n) for n in (4, 12, 48)),
    *(Kind(f"{n} times", copies=n) for n in (4, 20, 200)),
    Kind("40 % repeated", repeated=REPEATED),
)


# ----------------------------------------------------------------------------- footage
class Footage:
    """Samples in longer footage; the random choices depend only on the qid."""

    def __init__(self, samples: Samples, kind: Kind):
        self.samples, self.kind = samples, kind
        annotations = list(samples.annotations)
        self.first = {video_of(a.vid): i for i, a in reversed(list(enumerate(annotations)))}
        self.youtube = [video_of(a.vid) for a in annotations]
        self.rows = cache(lambda index: self.samples[index].rows)

    def of(self, index: int) -> tuple[Sample, int, int]:
        """Return a sample in its footage, the number of clips before its own video, and the number
        of a sample whose query belongs to none of the videos.
        """
        sample = self.samples[index]
        rng = np.random.default_rng([int(sample.annotation.qid), self.kind.others])
        ids = [name for name in rng.permutation(list(self.first)) if name != self.youtube[index]]
        others, stranger = ids[: self.kind.others], self.first[ids[-1]]
        if self.kind.repeated:
            still = disturb.with_repeats(footage_of(sample), self.kind.repeated, rng)
            return sample_in(sample, still), 0, stranger
        if self.kind.copies > 1:
            return times(sample, self.kind.copies), 0, stranger
        rows = [self.rows(self.first[name]) for name in others]
        place = int(rng.integers(len(rows) + 1))
        longer = disturb.among(footage_of(sample), rows, place)
        return sample_in(sample, longer), sum(map(len, rows[:place])), stranger


def in_footage(sample: Sample, video: np.ndarray, windows: np.ndarray) -> Sample:
    duration = len(video) * sample.clip_length
    annotation = replace(sample.annotation, windows=windows, duration=duration)
    return replace(sample, annotation=annotation, rows=video, duration=duration)


def times(sample: Sample, copies: int) -> Sample:
    length = len(sample.video) * sample.clip_length
    moved = [windows_of(sample) + n * length for n in range(copies)]
    return in_footage(sample, np.tile(sample.video, (copies, 1)), joined(np.concatenate(moved)))


def windows_of(sample: Sample) -> np.ndarray:
    """Return the windows (G, 2) in seconds, cut to the existing clips."""
    end = len(sample.video) * sample.clip_length
    return np.minimum(sample.annotation.windows, end)


def joined(windows: np.ndarray) -> np.ndarray:
    """Join windows that touch."""
    made: list[list[float]] = []
    for start, end in windows[np.argsort(windows[:, 0])]:
        if made and start <= made[-1][1]:
            made[-1][1] = max(made[-1][1], end)
        else:
            made.append([start, end])
    return np.array(made)


# ------------------------------------------------------------------------------ scores
@dataclass(frozen=True)
class Score:
    """The scores of one query: R1 at 0.5 and 0.7, AP, HIT@1, presences."""

    r1: float
    r1_strict: float
    ap: float
    hit: float
    shown: float
    absent: float


def scores(
    head: Head, footage: Footage, queries: Sequence[int], background: np.ndarray | None
) -> Iterator[Score]:
    """Score each query; without a background, presence is left out.

    Every head computes presence with the fitted rates.
    """
    for index in queries:
        sample, before, stranger = footage.of(index)
        told = head.read(sample, top_k=MOMENTS * footage.kind.copies)
        spans = to_grid(told.spans, sample.clip_length)
        spans[:, 1] = np.maximum(spans[:, 1], spans[:, 0] + sample.clip_length)
        truth = windows_of(sample)[None]
        best = iou_over_hull(spans[None, :1], truth).max()
        ap = average_precision(np.column_stack([spans, told.raw_scores])[None], truth).mean()
        shown = absent = np.nan
        if background is not None:
            known = Background.of(sample.video @ background.T)
            asked = (sample.sentence, footage.samples[stranger].sentence)
            shown, absent = (PRESENCE.presence(sample.video @ text, known) for text in asked)
        hit = hit_of(footage.samples[index], told.saliency_raw, before, footage.kind.copies)
        yield Score(best >= 0.5, best >= 0.7, ap, hit, shown, absent)


PRESENCE = TrainingFree.load()
"""Whichever head answers, presence is that of the fitted rates."""


def hit_of(plain: Sample, saliency: np.ndarray, before: int, copies: int) -> float:
    """Compute HIT@1 in [0, 1]: is the footage's highest clip a highlight in a copy of the video?

    before: number of clips of the footage before the video
    """
    marks = relevance(plain.duration, plain.annotation.clip_ids, plain.annotation.ratings)
    own = int(saliency.argmax()) - before
    own = own % len(plain.video) if copies > 1 else own
    return float(0 <= own < len(marks) and marks[own].max() >= SALIENCY_LEVELS["VeryGood"])


def mean(values: Sequence[float]) -> float:
    return 100 * float(np.mean(values))


def print_table(
    heads: dict[str, Head], samples: Samples, background: np.ndarray, most: int, kinds: list[Kind]
) -> None:
    names = ("R1@0.5", "R1@0.7", "mAP", "HIT@1", "AUROC")
    names += ("absent, called shown", "shown, called shown")
    print("| footage | queries | head | " + " | ".join(names) + " |")
    print("| --- | ---: | --- |" + " ---: |" * len(names))
    for kind in kinds:
        footage = Footage(samples, kind)
        queries = spread(len(samples), most_of(kind, most))
        for name, head in heads.items():
            free = name == "training-free"
            rows = list(scores(head, footage, queries, background if free else None))
            cells = [mean([r.r1 for r in rows]), mean([r.r1_strict for r in rows])]
            cells += [mean([r.ap for r in rows]), mean([r.hit for r in rows])]
            told = [f"{cell:.1f}" for cell in cells]
            if free:
                shown, absent = (
                    np.array([getattr(r, x) for r in rows]) for x in ("shown", "absent")
                )
                told += [f"{auroc(shown, absent):.3f}"]
                told += [f"{mean(x >= SHOWN):.1f}" for x in (absent, shown)]
            else:
                told += ["", "", ""]
            print(f"| {kind.name} | {len(rows)} | {name} | " + " | ".join(told) + " |", flush=True)


def most_of(kind: Kind, most: int) -> int:
    """Return the number of queries to ask: fewer queries for hours of footage."""
    return most if (kind.others + 1) * kind.copies < 100 else max(most // 10, 1)


def spread(number: int, most: int) -> list[int]:
    return np.unique(np.linspace(0, number - 1, min(most, number)).round().astype(int)).tolist()


# ---------------------------------------------------------------------------- example
def print_example() -> None:
    from rdmf_cli.api import Searcher
    from rdmf_cli.resources import example_video

    search = Searcher(encoder="embedded")
    rows = normalise_rows(search.extract(example_video()).rows)
    sentences = normalise_rows(search.loaded_encoder.encode_texts(list(EXAMPLE_QUERIES)).rows)
    unrelated = search.backgrounds.sentences()
    learned = LearnedHead.load()
    print(
        "\n| the example, times | longest of the first five, share | in | presence of each query |"
    )
    print("| ---: | ---: | --- | --- |")
    for copies in (1, *EXAMPLE_COPIES):
        shown = np.tile(rows, (copies, 1))
        known = Background.of(shown @ unrelated.T)
        longest, presences = {}, []
        for query, sentence in zip(EXAMPLE_QUERIES, sentences, strict=True):
            question = Question(
                rows=shown,
                sentence=sentence,
                matching=slice(0, shown.shape[1]),
                words=shown[:0],
                clip_length=2.0,
                background=known,
            )
            told = learned.read(question, top_k=5, distinct=True)
            longest[query] = np.diff(told.spans, axis=1).max() / (2.0 * len(shown))
            presences.append(f"{told.presence:.2f}")
        worst = max(longest, key=longest.__getitem__)
        print(f"| {copies} | {longest[worst]:.3f} | {worst} | {' '.join(presences)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument(
        "--queries", type=int, default=1550, help="number of queries; fewer in long footage"
    )
    parser.add_argument("--kinds", nargs="+", help="names of the kinds of footage to use")
    parser.add_argument("--head", type=Path, help="a trained or exported head; default: shipped")
    parser.add_argument("--no-example", action="store_true")
    args = parser.parse_args()
    samples = samples_of(args.features, args.split)
    with np.load(args.features / "text" / "background.npz") as file:
        background = normalise_rows(file["pooler_output"])
    heads = {
        "learned": load_head("auto", args.head),
        "training-free": TrainingFree.load(),
    }
    kinds = [kind for kind in KINDS if not args.kinds or kind.name in args.kinds]
    print_table(heads, samples, background, args.queries, kinds)
    if not args.no_example:
        print_example()


if __name__ == "__main__":
    main()

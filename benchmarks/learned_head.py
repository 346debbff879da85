"""Measure the shipped head on QVHighlights-captions val: moments, other encoders, presence.

    python benchmarks/learned_head.py FEATURES [--checkpoint FILE]

FEATURES is a folder of sentence embeddings (all-MiniLM-L6-v2) in the field's layout, with
text/background.npz: `pooler_output` (N, 384) of the sentences in rdmf_cli.channels.background.

1. The learned head and the training-free head, with the exported queries and with the same queries
   encoded by the embedded text tower, for which the head was not trained.
2. Presence: each query on its own video, compared with the query of another YouTube video.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from fusion_ablation import METRICS, samples_of, scores_of

from rdmf_cli.channels.background import Background
from rdmf_cli.datasets import Sample, Samples
from rdmf_cli.datasets.split import video_of
from rdmf_cli.encoders import load_encoder
from rdmf_cli.features import normalise_rows
from rdmf_cli.heads.base import Head
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.moments.reading import Reading
from rdmf_cli.outputs.table import PERHAPS_NOT, PROBABLY_NOT


class Reworded:
    """A head that gets the sentences of another text tower."""

    def __init__(self, head: Head, sentences: dict[str, np.ndarray]):
        self.head, self.sentences = head, sentences

    def read_many(
        self, questions: Sequence[Sample], *, top_k: int = 10, distinct: bool = False
    ) -> list[Reading]:
        asked = [replace(q, sentence=self.sentences[q.annotation.query]) for q in questions]
        return self.head.read_many(asked, top_k=top_k, distinct=distinct)


def embedded_sentences(val: Samples) -> dict[str, np.ndarray]:
    """Encode every query with the embedded text tower; unit rows."""
    queries = sorted({annotation.query for annotation in val.annotations})
    rows = normalise_rows(load_encoder("embedded").encode_texts(queries).rows)
    return dict(zip(queries, rows, strict=True))


Presence = Callable[[Sample, np.ndarray, np.ndarray], float]
"""Maps (sample, sentence (D,), background (N, D)) to the probability that the sentence is shown."""


def presences(
    samples: Samples, background: np.ndarray, presence: Presence
) -> Iterator[tuple[float, float]]:
    """For each query, return its presence in its own video, and another query's presence there."""
    rows = [samples[i] for i in range(len(samples))]
    for i, sample in enumerate(rows):
        turned = (rows[(i + step) % len(rows)] for step in range(1, len(rows)))
        other = next(row for row in turned if _unrelated(row, sample))
        yield tuple(presence(sample, row.sentence, background) for row in (sample, other))


def _unrelated(row: Sample, sample: Sample) -> bool:
    return video_of(row.annotation.vid) != video_of(sample.annotation.vid)


def auroc(shown: np.ndarray, absent: np.ndarray) -> float:
    """Return how often a shown query's presence exceeds an absent query's; ties count half."""
    order = np.sort(absent)
    below = np.searchsorted(order, shown, "left") + np.searchsorted(order, shown, "right")
    return float(below.mean() / 2 / len(absent))


def by(head: Head) -> Presence:
    def presence(sample: Sample, sentence: np.ndarray, background: np.ndarray) -> float:
        found = Background.in_video(sample.video, background)
        question = replace(sample, sentence=sentence, duration=None, background=found)
        return head.read(question, top_k=1, distinct=True).presence

    return presence


def print_moments(val: Samples, heads: dict[str, Head]) -> None:
    print("| head | queries read by | " + " | ".join(METRICS) + " |")
    print("| --- | --- |" + " ---: |" * len(METRICS))
    sentences = embedded_sentences(val)
    for name, head in heads.items():
        towers = {"the teacher": head, "the embedded tower": Reworded(head, sentences)}
        for tower, asked in towers.items():
            cells = " | ".join(f"{value:.1f}" for value in scores_of(asked, val).values())
            print(f"| {name} | {tower} | {cells} |", flush=True)


def print_presence(splits: dict[str, Samples], folder: Path, of: dict[str, Presence]) -> None:
    with np.load(folder / "text" / "background.npz") as file:
        background = normalise_rows(file["pooler_output"])
    for name, presence in of.items():
        for split, samples in splits.items():
            pairs = np.array(list(presences(samples, background, presence)))
            shown, absent = pairs.T
            print(f"presence, {name}, {split}: AUROC {auroc(shown, absent):.3f}")
            for limit in (PERHAPS_NOT, PROBABLY_NOT):
                print(
                    f"  below {limit}: {100 * (shown < limit).mean():.1f} % of those shown, "
                    f"{100 * (absent < limit).mean():.1f} % of those absent",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features", type=Path)
    parser.add_argument(
        "--checkpoint", type=Path, help="an exported head; default: the shipped head"
    )
    args = parser.parse_args()
    splits = {name: samples_of(args.features, name) for name in ("train", "val")}
    learned, free = LearnedHead.load(args.checkpoint), TrainingFree.load()
    print_moments(splits["val"], {"learned": learned, "training-free": free})
    print_presence(splits, args.features, {"learned": by(learned), "training-free": by(free)})


if __name__ == "__main__":
    main()

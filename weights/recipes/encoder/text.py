"""Train the text tower: the sentence rows and word states of all-MiniLM-L6-v2 in a smaller network.

    python -m recipes.encoder.data --data shared/data --work runs/encoder
    python -m recipes.encoder.text --data shared/data --work runs/encoder --out text \
        --sentences 600000
    python -m recipes.encoder.text --data shared/data --work runs/encoder --start earlier \
        --out text --rate 2e-4

First the teacher's features of every sentence are stored (once, in files of a few thousand
sentences); then the tower is trained. After an interruption at any time, the same command resumes.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from rdmf_cli.encoders.embedded.wordpieces import SPECIAL, WordPieces
from rdmf_cli.files import write_own
from recipes.encoder.data import (
    Photos,
    Teacher,
    by_length,
    log,
    read_lines,
    sentences,
    start_log,
    teacher_folder,
    write_json,
)
from recipes.encoder.learning import Trainer
from recipes.encoder.towers import TextShape, TextTower, mean_state, padded, start_text_tower

BATCH, SHARD = 192, 8192
COMMON = 15_000  # the teacher's pieces are numbered from frequent to rare
ROUGH_BATCHES, ROUGH_PIECES = (
    0.12,
    0.25,
)  # share of such batches, and share of pieces that they do not use


# ---------------------------------------------------------------- vocabulary and sentences
def word_sentences(vocabulary: list[str]) -> list[str]:
    """Put each common English word into two short sentences: queries are not only captions."""
    plain = [w for w in vocabulary[1996:COMMON] if w.isascii() and w.isalpha() and len(w) > 2]
    return [text for w in plain for text in (f"a photo of a {w}", f"someone with the {w}")]


def choose_pieces(texts: list[str], vocabulary: list[str]) -> list[str]:
    """Choose pieces that occur at least twice, common words, and the characters of Latin text."""
    tokenizer = Teacher().tokenizer
    count: Counter[int] = Counter()
    for start in range(0, len(texts), SHARD):
        for encoded in tokenizer.encode_batch(texts[start : start + SHARD]):
            count.update(encoded.ids)
    signs = {
        piece for piece in vocabulary if len(piece.removeprefix("##")) == 1 and piece[-1].isascii()
    }
    kept = [
        piece
        for i, piece in enumerate(vocabulary)
        if piece not in SPECIAL and (count[i] >= 2 or piece in signs)
    ]
    return [*SPECIAL, *kept]


def write_texts(args: argparse.Namespace) -> None:
    """Write the sentences and their vocabulary; if training continues, the vocabulary stays."""
    if (args.work / "texts.json").exists():
        return
    vocabulary = (teacher_folder() / "vocab.txt").read_text(encoding="utf-8").splitlines()
    texts = sentences(args.data, Photos(args.work)) + word_sentences(vocabulary)
    texts = list(dict.fromkeys(texts))
    np.random.default_rng(args.seed).shuffle(texts)
    if args.start is None:
        write_json(args.work / "pieces.json", choose_pieces(texts, vocabulary))
    log.info("%d sentences", len(texts))
    write_json(args.work / "texts.json", texts)


# ---------------------------------------------------------------- features of the teacher
def write_teacher(work: Path, texts: list[str], shards: int | None) -> None:
    """Write, per shard, rows (N, 384), states (sum of T, 384) and lengths (N,), float16."""
    teacher = Teacher()
    for n, start in enumerate(range(0, len(texts), SHARD)[:shards]):
        file = work / f"teacher-{n:03}.npz"
        if file.exists():
            continue
        part = texts[start : start + SHARD]
        rows = np.zeros((len(part), 384), np.float16)
        states: list[np.ndarray] = [rows[:0]] * len(part)
        for chosen in by_length(part, 128):
            found, words = teacher([part[i] for i in chosen])
            rows[chosen] = found
            for i, state in zip(chosen, words, strict=True):
                states[i] = state
        lengths = np.array([len(s) for s in states])
        arrays = {"rows": rows, "states": np.concatenate(states), "lengths": lengths}
        write_own(file, partial(_write_arrays, arrays))
        log.info("teacher: %d of %d sentences", start + len(part), len(texts))


class Lessons:
    """Makes batch number n: pieces, the teacher's rows, and its word states where pieces agree."""

    def __init__(self, work: Path, seed: int):
        self.seed = seed
        self.texts: list[str] = json.loads((work / "texts.json").read_text())
        self.cut = WordPieces(json.loads((work / "pieces.json").read_text()))
        self.tokenizer = Teacher().tokenizer
        shards = [np.load(file) for file in sorted(work.glob("teacher-*.npz"))]
        self.rows = np.concatenate([shard["rows"] for shard in shards])
        self.states = np.concatenate([shard["states"] for shard in shards])
        lengths = np.concatenate([shard["lengths"] for shard in shards])
        self.ends = np.cumsum(lengths)
        self.starts = self.ends - lengths
        self.ids = [self.cut(text) for text in self.texts]
        self.batches = -(-len(self.rows) // BATCH)

    def epoch(self, n: int) -> list[np.ndarray]:
        """Yield all sentences in batches of similar length, in random order."""
        rng = np.random.default_rng([self.seed, n])
        lengths = np.array([len(ids) for ids in self.ids[: len(self.rows)]])
        order = np.argsort(lengths + rng.uniform(0, 2, len(lengths)))
        batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def batch(
        self, chosen: np.ndarray, rough: np.random.Generator | None
    ) -> dict[str, torch.Tensor]:
        ids = [self.ids[i] for i in chosen]
        if rough is not None:
            many = len(self.cut.pieces)
            without = set((4 + rough.permutation(many - 4)[: int(many * ROUGH_PIECES)]).tolist())
            ids = [self.cut(self.texts[i], without) for i in chosen]
        filled, agree = padded(ids), np.zeros(len(ids), bool)
        states = np.zeros((*filled.shape, 384), np.float16)
        for n, i in enumerate(chosen):
            length = self.ends[i] - self.starts[i]
            agree[n] = rough is None and length == len(ids[n])
            if agree[n]:
                states[n, :length] = self.states[self.starts[i] : self.ends[i]]
        return {
            "ids": filled,
            "rows": torch.from_numpy(self.rows[chosen].astype(np.float32)),
            "states": torch.from_numpy(states.astype(np.float32)),
            "agree": torch.from_numpy(agree),
        }

    def since(self, first: int, steps: int) -> Iterator[dict[str, torch.Tensor]]:
        for step in range(first, steps):
            epoch, place = divmod(step, self.batches)
            if place == 0 or step == first:
                order = self.epoch(epoch)
            rng = np.random.default_rng([self.seed, epoch, place])
            yield self.batch(order[place], rng if rng.random() < ROUGH_BATCHES else None)


def loss_of(
    states: torch.Tensor, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, dict[str, float]]:
    """Compute the loss: rows and word states as the teacher's, and distances between rows, too."""
    rows = F.normalize(mean_state(states, batch["ids"]), dim=-1)
    row = (1 - (rows * batch["rows"]).sum(-1)).mean()
    apart = (rows @ rows.T - batch["rows"] @ batch["rows"].T).square().mean()
    mask = (batch["ids"] != 0) & batch["agree"][:, None]
    word = torch.zeros(())
    if mask.any():
        mine, theirs = states[mask], batch["states"][mask]
        word = (1 - F.cosine_similarity(mine, theirs, dim=-1)).mean()
        word = word + (mine - theirs).square().mean() / theirs.square().mean()
    parts = {"row": row.item(), "apart": apart.item(), "word": word.item()}
    return 4 * row + 20 * apart + 0.5 * word, parts


# ---------------------------------------------------------------- evaluation
@torch.inference_mode()
def text_rows(
    tower: TextTower, cut: WordPieces, texts: list[str], half: bool = True
) -> torch.Tensor:
    tower.eval()
    rows = torch.zeros(len(texts), 384)
    for part in by_length(texts, 128):
        ids = padded([cut(texts[i]) for i in part])
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            states = tower(ids)
        rows[part] = F.normalize(mean_state(states.float(), ids), dim=-1)
    return rows


def evaluate(tower: TextTower, cut: WordPieces, data: Path, cache: Path) -> dict[str, float]:
    """Compare with the teacher on queries of QVHighlights val, which are never trained on."""
    from scipy.stats import spearmanr

    lines = read_lines(data / "qvhighlights_captions" / "val.jsonl.gz")
    texts = [json.loads(line)["query"] for line in lines]
    if not cache.exists():
        np.save(cache, Teacher()(texts, half=False)[0])
    theirs, mine = torch.from_numpy(np.load(cache)), text_rows(tower, cut, texts)
    above = np.triu_indices(len(texts), 1)
    rank = spearmanr((mine @ mine.T).numpy()[above], (theirs @ theirs.T).numpy()[above])
    return {"cosine": (mine * theirs).sum(1).mean().item(), "spearman": float(rank.statistic)}


def _write_arrays(arrays: dict[str, np.ndarray], file: BinaryIO) -> None:
    np.savez(file, **arrays)  # type: ignore[arg-type]


def write_photo_rows(
    tower: TextTower, cut: WordPieces, work: Path, out: str, half: bool = True
) -> None:
    """Write the rows of the photographs' sentences, for image.py, by this tower."""
    texts = json.loads((work / "photo_sentences.json").read_text())
    file = work / f"photo_rows-{out}.npy"
    rows = text_rows(tower, cut, texts, half).half().numpy()
    write_own(file, lambda out: np.save(out, rows))


# ---------------------------------------------------------------- training
def tower_of(work: Path, run: str, pieces: list[str]) -> TextTower:
    """Load the tower of a run."""
    tower = TextTower(TextShape(len(pieces)))
    state = torch.load(work / f"text-{run}.pt", weights_only=True)
    tower.load_state_dict(state["ema"])
    return tower


def first_tower(args: argparse.Namespace, pieces: list[str]) -> TextTower:
    """Return the tower of an earlier run, or some of the teacher's layers."""
    if args.start is None:
        vocabulary = (teacher_folder() / "vocab.txt").read_text(encoding="utf-8").splitlines()
        place = {piece: i for i, piece in enumerate(vocabulary)}
        return start_text_tower([place[piece] for piece in pieces], teacher_folder())
    return tower_of(args.work, args.start, pieces)


class TextTrainer(Trainer[TextTower, dict[str, torch.Tensor]]):
    """Trains a text tower to return the rows and word states of its teacher."""

    evaluate_every = 400

    def __init__(self, tower: TextTower, lessons: Lessons, args: argparse.Namespace):
        group = {"params": tower.parameters(), "rate": args.rate, "weight_decay": 0.01}
        super().__init__(tower, [group], args.sentences // BATCH)
        self.cut, self.args = lessons.cut, args

    def loss(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        self.tower.train()
        with torch.autocast("cpu", torch.bfloat16):
            states = self.tower(batch["ids"])
        return loss_of(states.float(), batch)

    def evaluate(self) -> str:
        found = evaluate(self.ema, self.cut, self.args.data, self.args.work / "val_queries.npy")
        return f"unseen queries: {found}"


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    write_texts(args)
    texts = json.loads((args.work / "texts.json").read_text())
    write_teacher(args.work, texts, args.shards)
    lessons = Lessons(args.work, args.seed)
    trainer = TextTrainer(first_tower(args, lessons.cut.pieces), lessons, args)
    name = f"text-{args.out}"
    trainer.run(name, lessons.since, args.work / f"{name}.pt")
    write_photo_rows(trainer.ema, lessons.cut, args.work, args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder that data.py wrote")
    parser.add_argument("--out", required=True, help="the name of this run")
    parser.add_argument("--start", help="begin with the weights of this run")
    parser.add_argument(
        "--sentences", type=int, default=600_000, help="number of sentences to train on"
    )
    parser.add_argument(
        "--shards", type=int, help=f"use only this number of shards, of {SHARD} sentences each"
    )
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    start_log(args.work / f"text-{args.out}.log")
    train(args)


if __name__ == "__main__":
    main()

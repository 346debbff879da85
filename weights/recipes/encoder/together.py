"""Train the text tower further, together with a head of the image tower, on stored features.

    python -m recipes.encoder.together --work runs/encoder --start whole --blend 0.65 --side 224 \
        --text text --out both

A sentence encoder weighs words by their importance for sentences; here the tower learns which words
photographs show. A second loss keeps the tower near its teacher, because the space must stay the
space that heads for sentence encoders know. The text tower is shipped; heads.py then fits the head
of the image tower to its rows (--rows photo_rows-both). After an interruption at any time, the same
command resumes.

A step takes little time because most rows are stored from earlier steps: only the rows of a few
sentences are computed again, with their gradient, and stored.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from rdmf_cli.encoders.embedded.wordpieces import WordPieces
from recipes.encoder.data import start_log
from recipes.encoder.heads import (
    BATCH,
    DROP,
    HIDDEN,
    RATE,
    Features,
    add_body_options,
    body_to_begin_with,
    chances,
    drawn,
    evaluate_head,
    new_layers,
)
from recipes.encoder.image import Batches, Sentences, matching
from recipes.encoder.learning import Trainer
from recipes.encoder.text import (
    Lessons,
    evaluate,
    loss_of,
    text_rows,
    tower_of,
    write_photo_rows,
)
from recipes.encoder.towers import TextTower, mean_state, padded

FRESH = 128  # number of sentences per step whose rows are computed again


class Photographed:
    """The sentences of the photographs, as word pieces, and the last row of each sentence."""

    def __init__(self, work: Path, cut: WordPieces, tower: TextTower):
        self.texts: list[str] = json.loads((work / "photo_sentences.json").read_text())
        self.ids = [cut(text) for text in self.texts]
        self.rows = text_rows(
            tower, cut, self.texts
        ).clone()  # a copy, because inference tensors cannot be changed

    def fresh(self, tower: TextTower, chosen: np.ndarray) -> torch.Tensor:
        """Return unit rows (K, 384) of some sentences, with gradient; store them without."""
        ids = padded([self.ids[i] for i in chosen])
        with torch.autocast("cpu", torch.bfloat16):
            states = tower(ids)
        rows = F.normalize(mean_state(states.float(), ids), dim=-1)
        self.rows[chosen] = rows.detach()
        return rows

    def of(
        self, photos: list[int], batches: Batches, tower: TextTower, rng: np.random.Generator
    ) -> Sentences:
        """Return the sentences of some photographs; FRESH of them have a gradient."""
        place = np.array([text for i in photos for text in batches.own[i]])
        chosen = np.sort(rng.choice(np.unique(place), FRESH, replace=False))
        fresh = self.fresh(tower, chosen)
        found = Sentences(batches, photos)
        at = np.flatnonzero(np.isin(place, chosen))
        rows = fresh[np.searchsorted(chosen, place[at])]
        louder = rows.detach() + len(place) / len(at) * (rows - rows.detach())
        found.rows = self.rows[place].index_copy(0, torch.from_numpy(at), louder)
        return found


class JointData:
    """The data: photographs as features, their sentences, and the batches of the text tower."""

    def __init__(self, args: argparse.Namespace):
        self.batches = Batches(args.work, args.side, 0, f"photo_rows-{args.text}")
        features = Features(body_to_begin_with(args), self.batches, args)
        self.views, self.seen_val = features.views(), features.val()
        self.lessons = Lessons(args.work, args.seed)
        self.chance = chances(self.batches)
        self.steps = round(args.epochs * len(self.batches.train) / BATCH)


class JointTrainer(Trainer[TextTower, dict[str, torch.Tensor]]):
    """Trains the text tower and a new head of the image tower; stores the last rows."""

    warm_up, least = 30, 0.0

    def __init__(self, data: JointData, args: argparse.Namespace):
        tower = tower_of(args.work, args.text, data.lessons.cut.pieces)
        self.head, self.log_scale = new_layers(data.views, HIDDEN, args.seed)
        self.head.drop.p = DROP
        groups = [
            {"params": self.head.head_parameters(), "rate": RATE, "weight_decay": 0.05},
            {"params": [self.log_scale], "rate": RATE, "weight_decay": 0.0},
            {"params": tower.parameters(), "rate": args.rate, "weight_decay": 0.01},
        ]
        super().__init__(tower, groups, data.steps, beta=0.999)
        self.said = Photographed(args.work, data.lessons.cut, tower)
        self.data, self.args = data, args

    def loss(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        """Contrast photographs and sentences, and compare further sentences with the teacher."""
        data, args = self.data, self.args
        self.head.train()
        self.tower.train()
        rng = np.random.default_rng([args.seed, self.step])
        torch.manual_seed(args.seed * 1_000_003 + self.step)  # dropout, also after a restart
        chosen, features = drawn(data.views, data.chance, rng)
        with torch.autocast("cpu", torch.bfloat16):
            rows = self.head.head(features)
            states = self.tower(batch["ids"])
        rows = F.normalize(rows.float(), dim=-1)
        photos = data.batches.train[chosen].tolist()
        sentences = self.said.of(photos, data.batches, self.tower, rng)
        found, far = matching(rows, sentences, self.log_scale)
        drift, numbers = loss_of(states.float(), batch)
        return found + far + args.keep * drift, numbers | {"contrast": found.item()}

    def evaluate(self) -> str:
        """Return recalls of both towers on Flickr8k val, and the distance from the teacher."""
        data, args, cut = self.data, self.args, self.data.lessons.cut
        _, texts, owner = data.batches.asked()
        rows = text_rows(self.ema, cut, [self.said.texts[i] for i in texts])
        found = evaluate_head(self.head, data.seen_val, rows, owner)
        teacher = evaluate(self.ema, cut, args.data, args.work / "val_queries.npy")
        return f"flickr8k val: {found} in sum {sum(map(sum, found.values())):.1f}; {teacher}"

    def state(self) -> dict[str, Any]:
        more = {"head": self.head.state_dict(), "log_scale": self.log_scale.data}
        return super().state() | more | {"said": self.said.rows}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.head.load_state_dict(state["head"])
        self.log_scale.data.copy_(state["log_scale"])
        self.said.rows = state["said"]


def train(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    data = JointData(args)
    trainer = JointTrainer(data, args)
    name = f"text-{args.out}"
    trainer.run(name, data.lessons.since, args.work / f"{name}.pt")
    write_photo_rows(trainer.ema, data.lessons.cut, args.work, args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_body_options(parser)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--text", required=True, help="the run of text.py to continue")
    parser.add_argument("--out", required=True, help="the name of this run")
    parser.add_argument("--epochs", type=int, default=30, help="epochs over the photographs")
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate of the text tower")
    parser.add_argument("--keep", type=float, default=3.0, help="weight of the loss to the teacher")
    args = parser.parse_args()
    start_log(args.work / f"together-{args.out}.log")
    train(args)


if __name__ == "__main__":
    main()

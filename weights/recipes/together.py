"""Train the text tower on, together with a head of the image tower, on features computed once.

    python together.py --work runs/encoder --start whole --blend 0.65 --side 224 \
                       --text text --out both

A sentence encoder weighs words by what they mean to sentences; here the tower learns which of them
a photograph shows. It is held to its teacher meanwhile: the space must stay the one that heads of
sentence encoders know. What ships is the text tower; heads.py then fits the image tower's head
to its rows (--rows photo_rows-both). Killed at any time, it goes on when the same line is run
again.

A step costs little because most of the rows it compares with are remembered: those of a few
sentences are made anew, with their gradient, and put in their place.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
from data import log, start_log
from heads import (
    BATCH,
    DROP,
    HIDDEN,
    RATE,
    Features,
    add_body_options,
    body_to_begin_with,
    chances,
    drawn,
    look_at,
    new_layers,
    rate_share,
)
from image import SCALE, Batches, Sentences, contrast, save
from text import (
    Lessons,
    WordPieces,
    average,
    look,
    loss_of,
    text_rows,
    tower_of,
    write_photo_rows,
)
from torch.nn import functional as F  # noqa: N812
from towers import TextTower, mean_state

FRESH = 128  # sentences of a step whose rows are made anew
CHECKPOINT_EVERY, LOOK_EVERY = 100, 100


class Photographed:
    """The sentences of the photographs, as word pieces, and what the tower last said of each."""

    def __init__(self, work: Path, cut: WordPieces, tower: TextTower):
        self.texts: list[str] = json.loads((work / "photo_sentences.json").read_text())
        self.ids = [cut(text) for text in self.texts]
        self.rows = text_rows(tower, cut, self.texts).clone()  # no inference tensor: it changes

    def fresh(self, tower: TextTower, chosen: np.ndarray) -> torch.Tensor:
        """Unit rows (K, 384) of some sentences, with their gradient; remembered without."""
        longest = max(len(self.ids[i]) for i in chosen)
        ids = torch.tensor([self.ids[i] + [0] * (longest - len(self.ids[i])) for i in chosen])
        with torch.autocast("cpu", torch.bfloat16):
            states = tower(ids)
        rows = F.normalize(mean_state(states.float(), ids), dim=-1)
        self.rows[chosen] = rows.detach()
        return rows

    def of(
        self, photos: list[int], batches: Batches, tower: TextTower, rng: np.random.Generator
    ) -> Sentences:
        """The sentences of some photographs; FRESH of them speak for all with their gradient."""
        place = np.array([text for i in photos for text in batches.own[i]])
        chosen = np.sort(rng.choice(np.unique(place), FRESH, replace=False))
        fresh = self.fresh(tower, chosen)
        found = Sentences(batches, photos)
        at = np.flatnonzero(np.isin(place, chosen))
        rows = fresh[np.searchsorted(chosen, place[at])]
        louder = rows.detach() + len(place) / len(at) * (rows - rows.detach())
        found.rows = self.rows[place].index_copy(0, torch.from_numpy(at), louder)
        return found


class Both:
    """The text tower, a new head of the image tower, and what trains them."""

    def __init__(self, tower: TextTower, views: torch.Tensor, args: argparse.Namespace):
        self.text, self.kept, self.step = tower, copy.deepcopy(tower), 0
        self.head, self.log_scale = new_layers(views, HIDDEN, args.seed)
        self.head.drop.p = DROP
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self.head.head_parameters(), "rate": RATE, "weight_decay": 0.05},
                {"params": [self.log_scale], "rate": RATE, "weight_decay": 0.0},
                {"params": tower.parameters(), "rate": args.rate, "weight_decay": 0.01},
            ]
        )

    def learn(self, loss: torch.Tensor, steps: int) -> None:
        """One step of `steps`, at the rate that its number asks for."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * rate_share(self.step, steps)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.text.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        average(self.kept, self.text, self.step)

    def save(self, file: Path, said: Photographed) -> None:
        save(
            file, step=self.step, text=self.text.state_dict(), ema=self.kept.state_dict(),
            head=self.head.state_dict(), log_scale=self.log_scale.data,
            optimizer=self.optimizer.state_dict(), said=said.rows,
        )  # fmt: skip

    def go_on(self, file: Path, said: Photographed) -> None:
        state = torch.load(file, weights_only=True)
        for name, module in (("text", self.text), ("ema", self.kept), ("head", self.head)):
            module.load_state_dict(state[name])
        self.log_scale.data.copy_(state["log_scale"])
        self.optimizer.load_state_dict(state["optimizer"])
        said.rows, self.step = state["said"], state["step"]
        log.info("going on from step %d", self.step)


class Course:
    """What a step needs beside the towers."""

    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.batches = Batches(args.work, args.side, 0, f"photo_rows-{args.text}")
        features = Features(body_to_begin_with(args), self.batches, args)
        self.views, self.seen_val = features.views(), features.val()
        self.lessons = Lessons(args.work, args.seed)
        self.chance = chances(self.batches)
        self.steps = round(args.epochs * len(self.batches.train) / BATCH)

    def loss(
        self, both: Both, said: Photographed, lesson: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Contrast of photographs and sentences, and what the teacher has to say of others."""
        rng = np.random.default_rng([self.args.seed, both.step])
        torch.manual_seed(self.args.seed * 1_000_003 + both.step)  # dropout, also after a restart
        chosen, features = drawn(self.views, self.chance, rng)
        with torch.autocast("cpu", torch.bfloat16):
            rows = both.head.head(features)
            states = both.text(lesson["ids"])
        rows = F.normalize(rows.float(), dim=-1)
        photos = self.batches.train[chosen].tolist()
        sentences = said.of(photos, self.batches, both.text, rng)
        found = contrast(rows, sentences, both.log_scale.exp().clamp(max=SCALE))
        far = (1 - (rows * sentences.means).sum(-1)).mean()
        drift, numbers = loss_of(states.float(), lesson)
        return found + far + self.args.keep * drift, numbers | {"contrast": found.item()}

    def look(self, both: Both, said: Photographed) -> str:
        """Recalls on Flickr8k val by both towers, and how far the text tower left its teacher."""
        args, cut = self.args, self.lessons.cut
        _, texts, owner = self.batches.asked()
        rows = text_rows(both.kept, cut, [said.texts[i] for i in texts])
        found = look_at(both.head, self.seen_val, rows, owner)
        teacher = look(both.kept, cut, args.data, args.work / "val_queries.npy")
        return f"flickr8k val: {found} in sum {sum(map(sum, found.values())):.1f}; {teacher}"


def train(args: argparse.Namespace) -> None:
    torch.set_num_threads(args.threads)
    course = Course(args)
    tower = tower_of(args.work, args.text, course.lessons.cut.pieces)
    said = Photographed(args.work, course.lessons.cut, tower)
    both, file = Both(tower, course.views, args), args.work / f"text-{args.out}.pt"
    if file.exists():
        both.go_on(file, said)
    began, sums = time.time(), {}
    for lesson in course.lessons.since(both.step, course.steps):
        both.head.train()
        both.text.train()
        loss, numbers = course.loss(both, said, lesson)
        both.learn(loss, course.steps)
        sums = {k: 0.95 * sums.get(k, v) + 0.05 * v for k, v in numbers.items()}
        last = both.step == course.steps
        if both.step % 20 == 0:
            now = " ".join(f"{k} {v:.4f}" for k, v in sums.items())
            log.info("%s %d/%d %s %.0f s", args.out, both.step, course.steps, now,
                     time.time() - began)  # fmt: skip
        if both.step % CHECKPOINT_EVERY == 0 or last:
            both.save(file, said)
        if both.step % LOOK_EVERY == 0 or last:
            log.info("%s", course.look(both, said))
    write_photo_rows(both.kept, course.lessons.cut, args.work, args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_body_options(parser)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--text", required=True, help="the run of text.py to go on from")
    parser.add_argument("--out", required=True, help="the name of this run")
    parser.add_argument("--epochs", type=int, default=30, help="of photographs")
    parser.add_argument("--rate", type=float, default=1e-4, help="of the text tower")
    parser.add_argument("--keep", type=float, default=3.0, help="weight of what the teacher says")
    args = parser.parse_args()
    start_log(args.work / f"together-{args.out}.log")
    train(args)


if __name__ == "__main__":
    main()

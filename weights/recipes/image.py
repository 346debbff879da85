"""Train the image tower: photographs to the rows that the teacher gives their sentences.

    python data.py  --data shared/data --work runs/encoder
    python image.py --work runs/encoder --out upper --images 100000 --frozen 6
    python image.py --work runs/encoder --out whole --images 120000 --start upper

Kill it at any time and run the same line again: it goes on from its last checkpoint, and draws
the same photographs as if it had never stopped.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import math
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from data import Photos, log, start_log
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torch.nn import functional as F  # noqa: N812
from towers import ImageTower, load_image_tower, start_image_tower

BATCH = 128
NEGATIVE_TEXTS, QUEUE = 2048, 2048
ALIKE = 0.8  # texts this similar are not each other's negatives
WEIGHTS = {"flickr8k": 2.0, "coco_sample": 1.6, "stanford40": 1.0, "har15": 0.8}
EMA = 0.997
CHECKPOINT_EVERY, LOOK_EVERY = 100, 300


# ---------------------------------------------------------------- what a camera may do to a scene
def _crop(image: Image.Image, side: int, squashed: bool, rng: np.random.Generator) -> Image.Image:
    """A random part of the picture, made square. Squashed sets get the wider range of aspects."""
    width, height = image.size
    area = rng.uniform(0.45, 1.0)
    stretch = math.exp(rng.uniform(-0.35, 0.35) * (1.0 if squashed else 0.6))
    w = min(width, width * math.sqrt(area) * stretch)
    h = min(height, height * math.sqrt(area) / stretch)
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    box = (left, top, left + w, top + h)
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box)


def _colour(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(rng.uniform(0.65, 1.35))
    return image


def _low_light(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    dark = np.asarray(image, np.float32) * rng.uniform(0.2, 0.6)
    dark += rng.normal(0, rng.uniform(2, 10), dark.shape)
    return Image.fromarray(dark.clip(0, 255).astype(np.uint8))


def _motion(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The mean of a few copies, each moved on a little: a moving camera."""
    moved = np.asarray(image, np.float32)
    dx, dy = rng.integers(-2, 3, 2)
    copies = [np.roll(moved, (k * dy, k * dx), (0, 1)) for k in range(rng.integers(3, 6))]
    return Image.fromarray(np.mean(copies, 0).astype(np.uint8))


def _compressed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(15, 60)))
    return Image.open(buffer).convert("RGB")


CHANGES = (
    (0.6, _colour),
    (0.08, _low_light),
    (0.08, _motion),
    (0.08, lambda image, rng: image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))),
    (0.2, _compressed),
    (0.08, lambda image, rng: ImageOps.grayscale(image).convert("RGB")),
)


def seen(pixels: np.ndarray, side: int, squashed: bool, rng: np.random.Generator) -> np.ndarray:
    """One training view of a photograph: uint8 (side, side, 3)."""
    image = _crop(Image.fromarray(pixels), side, squashed, rng)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    for chance, change in CHANGES:
        if rng.random() < chance:
            image = change(image, rng)
    return np.asarray(image)


def plain(pixels: np.ndarray, side: int) -> np.ndarray:
    """A photograph as the shipped encoder sees it: squashed to a square."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))


# ---------------------------------------------------------------- batches
class Batches:
    """Batch number n, the same for every run of one seed; a thread prepares the next ones."""

    def __init__(self, work: Path, side: int, seed: int, rows: str = "photo_rows"):
        self.photos, self.side, self.seed = Photos(work), side, seed
        texts = json.loads((work / "photo_sentences.json").read_text())
        place = {text: i for i, text in enumerate(texts)}
        self.text_rows = torch.from_numpy(np.load(work / f"{rows}.npy").astype(np.float32))
        self.own = [[place[text] for text in row.sentences] for row in self.photos.rows]
        self.train = np.array(self.photos.of("train"))
        weight = np.array([WEIGHTS.get(self.photos.rows[i].source, 0.6) for i in self.train])
        self.chance = weight / weight.sum()
        self.negatives = np.array(sorted({t for i in self.train for t in self.own[i]}))
        self.mean_rows = torch.stack(
            [F.normalize(self.text_rows[t].mean(0), dim=0) for t in self.own]
        )

    def __call__(self, n: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng([self.seed, n])
        chosen = rng.choice(self.train, BATCH, replace=False, p=self.chance)
        squashed = [self.photos.rows[i].source == "flickr8k" for i in chosen]
        views = [
            seen(self.photos[i], self.side, s, rng) for i, s in zip(chosen, squashed, strict=True)
        ]
        texts = [int(rng.choice(self.own[i])) for i in chosen]
        return {
            "views": torch.from_numpy(np.stack(views)),
            "texts": self.text_rows[texts],
            "means": self.mean_rows[chosen],
            "others": self.text_rows[rng.choice(self.negatives, NEGATIVE_TEXTS, replace=False)],
        }

    def since(self, first: int, end: int) -> Iterator[dict[str, torch.Tensor]]:
        with ThreadPoolExecutor(1) as pool:
            waiting: list[Future] = [
                pool.submit(self, n) for n in range(first, min(first + 3, end))
            ]
            for n in range(first, end):
                batch = waiting.pop(0).result()
                if n + 3 < end:
                    waiting.append(pool.submit(self, n + 3))
                yield batch


# ---------------------------------------------------------------- the loss
def contrast(query: torch.Tensor, keys: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of finding key i for query i; keys that are `alike` do not count against it.

    query (N, D) already divided by the temperature, keys (M, D), alike bool (N, M).
    """
    own = torch.arange(len(query))
    alike = alike.clone()
    alike[own, own] = False
    return F.cross_entropy((query @ keys.T).masked_fill(alike, -1e4), own)


class Loss:
    """Contrastive both ways, with more texts than the batch has and with images of past batches,
    plus regression to the mean row of the photograph's sentences."""

    def __init__(self) -> None:
        self.past_images = torch.zeros(0, 384)
        self.past_texts = torch.zeros(0, 384)

    def __call__(
        self, rows: torch.Tensor, batch: dict[str, torch.Tensor], log_scale: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, float]]:
        z, t = F.normalize(rows.float(), dim=-1), batch["texts"]
        scale = log_scale.exp().clamp(max=60)
        texts, images = torch.cat([t, batch["others"]]), torch.cat([z, self.past_images])
        to_text = contrast(z * scale, texts, t @ texts.T > ALIKE)
        to_image = contrast(t * scale, images, t @ torch.cat([t, self.past_texts]).T > ALIKE)
        regression = (1 - (z * batch["means"]).sum(-1)).mean()
        self.past_images = torch.cat([z.detach(), self.past_images])[:QUEUE]
        self.past_texts = torch.cat([t, self.past_texts])[:QUEUE]
        parts = {"i2t": to_text.item(), "t2i": to_image.item(), "far": regression.item()}
        return to_text + to_image + regression, parts


# ---------------------------------------------------------------- looking at what it learned
@torch.inference_mode()
def image_rows(
    tower: ImageTower, photos: Photos, which: list[int], side: int, unit: bool = True
) -> torch.Tensor:
    tower.eval()
    rows = []
    for start in range(0, len(which), 64):
        views = np.stack([plain(photos[i], side) for i in which[start : start + 64]])
        with torch.autocast("cpu", torch.bfloat16):
            rows.append(tower(torch.from_numpy(views)).float())
    return F.normalize(torch.cat(rows), dim=-1) if unit else torch.cat(rows)


def recalls(
    images: torch.Tensor, texts: torch.Tensor, owner: torch.Tensor
) -> dict[str, list[float]]:
    """R@1/5/10 in per cent. images (N, D), texts (M, D), owner (M,): whose sentence each is."""
    similarity = texts @ images.T
    own = similarity[torch.arange(len(texts)), owner]
    to_image = (similarity > own[:, None]).sum(1)
    best = torch.full((len(images),), len(texts))
    for i in range(len(images)):
        best[i] = (similarity[:, i] > similarity[owner == i, i].max()).sum()
    return {
        name: [round(100 * (ranks < k).float().mean().item(), 1) for k in (1, 5, 10)]
        for name, ranks in (("t2i", to_image), ("i2t", best))
    }


def look(tower: ImageTower, batches: Batches, side: int) -> dict[str, list[float]]:
    which = batches.photos.of("val", "flickr8k")
    texts = [t for i in which for t in batches.own[i]]
    owner = torch.tensor([n for n, i in enumerate(which) for _ in batches.own[i]])
    return recalls(image_rows(tower, batches.photos, which, side), batches.text_rows[texts], owner)


# ---------------------------------------------------------------- training
def save(path: Path, **state: object) -> None:
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def groups(tower: ImageTower, frozen: int, rate: float) -> list[dict]:
    """The stem and the first `frozen` blocks stay; the head learns three times as fast."""
    for part in [tower.stem, *tower.blocks[:frozen]] if frozen else []:
        part.requires_grad_(False)
    head = [p for m in (tower.direct, tower.hidden, tower.out) for p in m.parameters()]
    own = {id(p) for p in head}
    body = [p for p in tower.parameters() if p.requires_grad and id(p) not in own]
    return [
        {"params": body, "rate": rate, "weight_decay": 0.01},
        {"params": head, "rate": 3 * rate, "weight_decay": 0.05},
    ]


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    batches, loss_of = Batches(args.work, args.side, args.seed, args.rows), Loss()
    log_scale = torch.nn.Parameter(torch.tensor(math.log(20.0)))
    if not args.start:
        tower = start_image_tower()
    else:
        first = torch.load(args.work / f"image-{args.start}.pt", weights_only=True)
        tower = load_image_tower(first["ema"])
        log_scale.data.copy_(first["log_scale"])
    kept = copy.deepcopy(tower)
    parts = groups(tower, args.frozen, args.rate)
    parts.append({"params": [log_scale], "rate": 10 * args.rate, "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(parts, lr=args.rate, betas=(0.9, 0.98))
    steps, step, file = args.images // BATCH, 0, args.work / f"image-{args.out}.pt"
    if file.exists():
        state = torch.load(file, weights_only=True)
        tower.load_state_dict(state["tower"])
        kept.load_state_dict(state["ema"])
        log_scale.data.copy_(state["log_scale"])
        optimizer.load_state_dict(state["optimizer"])
        loss_of.past_images, loss_of.past_texts = state["past_images"], state["past_texts"]
        step = state["step"]
        log.info("going on from step %d", step)
    began, sums = time.time(), {}
    for batch in batches.since(step, steps):
        tower.train()
        warm = min(1.0, (step + 1) / 100)
        for group in optimizer.param_groups:
            group["lr"] = (
                group["rate"] * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)
            )
        torch.manual_seed(args.seed * 1_000_003 + step)  # dropout, the same after a restart
        with torch.autocast("cpu", torch.bfloat16):
            rows = tower(batch["views"])
        loss, numbers = loss_of(rows, batch, log_scale)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for g in parts for p in g["params"]], 2.0)
        optimizer.step()
        step += 1
        decay = min(EMA, step / (step + 20))
        with torch.no_grad():
            torch._foreach_lerp_(list(kept.parameters()), list(tower.parameters()), 1 - decay)
        sums = {k: 0.95 * sums.get(k, v) + 0.05 * v for k, v in numbers.items()}
        if step % 20 == 0:
            said = " ".join(f"{k} {v:.3f}" for k, v in sums.items())
            log.info("%s %d/%d %s scale %.1f %.0f s", args.out, step, steps, said,
                     log_scale.exp().item(), time.time() - began)  # fmt: skip
        if step % CHECKPOINT_EVERY == 0 or step == steps:
            save(file, tower=tower.state_dict(), ema=kept.state_dict(), log_scale=log_scale.data,
                 optimizer=optimizer.state_dict(), step=step,
                 past_images=loss_of.past_images, past_texts=loss_of.past_texts)  # fmt: skip
        if step % LOOK_EVERY == 0 or step == steps:
            log.info("flickr8k val at step %d: %s", step, look(kept, batches, 160))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="what data.py wrote")
    parser.add_argument("--out", required=True, help="the name of this run")
    parser.add_argument("--start", help="begin with the weights of this run")
    parser.add_argument(
        "--rows",
        default="photo_rows",
        help="photo_rows: the teacher's; photo_rows-NAME: text run NAME's",
    )
    parser.add_argument("--images", type=int, default=100_000, help="how many views to see")
    parser.add_argument("--side", type=int, default=160, help="pixels")
    parser.add_argument("--frozen", type=int, default=0, help="keep the first blocks as they are")
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    start_log(args.work / f"image-{args.out}.log")
    train(args)


if __name__ == "__main__":
    main()

"""Train the image tower: it maps photographs to the teacher's rows of their sentences.

    python -m recipes.encoder.data  --data shared/data --work runs/encoder
    python -m recipes.encoder.image --work runs/encoder --out upper --images 100000 --frozen 6
    python -m recipes.encoder.image --work runs/encoder --out whole --images 120000 --start upper

After an interruption at any time, the same command resumes from the last checkpoint and draws the
same photographs as without the interruption.
"""

from __future__ import annotations

import argparse
import io
import json
import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from torch.nn import functional as F  # noqa: N812

from recipes.encoder.data import Photos, start_log
from recipes.encoder.learning import Trainer
from recipes.encoder.towers import SIZE, ImageTower, load_image_tower, start_image_tower

BATCH = 128
NEGATIVE_TEXTS, QUEUE = 2048, 2048
ALIKE = 0.8  # texts with at least this cosine are not negatives of each other
WEIGHTS = {"flickr8k": 2.0, "coco_sample": 1.6, "stanford40": 1.0, "har15": 0.8}
SCALE = 60.0  # the largest scale; a scale is 1 / temperature


# ---------------------------------------------------------------- views of a camera
def _crop(image: Image.Image, side: int, squashed: bool, rng: np.random.Generator) -> Image.Image:
    """Crop a random part to a square; squashed sets get the wider range of aspects."""
    width, height = image.size
    area = rng.uniform(0.45, 1.0)
    stretch = math.exp(rng.uniform(-0.35, 0.35) * (1.0 if squashed else 0.6))
    w = min(width, width * math.sqrt(area) * stretch)
    h = min(height, height * math.sqrt(area) / stretch)
    left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
    box = (left, top, left + w, top + h)
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box)


def colour(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = change(image).enhance(rng.uniform(0.65, 1.35))
    return image


def _low_light(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    dark = np.asarray(image, np.float32) * rng.uniform(0.2, 0.6)
    dark += rng.normal(0, rng.uniform(2, 10), dark.shape)
    return Image.fromarray(dark.clip(0, 255).astype(np.uint8))


def _motion(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the mean of a few copies, each moved a little: the blur of a moving camera."""
    moved = np.asarray(image, np.float32)
    dx, dy = rng.integers(-2, 3, 2)
    copies = [np.roll(moved, (k * dy, k * dx), (0, 1)) for k in range(rng.integers(3, 6))]
    return Image.fromarray(np.mean(copies, 0).astype(np.uint8))


def compressed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(15, 60)))
    return Image.open(buffer).convert("RGB")


CHANGES = (
    (0.6, colour),
    (0.08, _low_light),
    (0.08, _motion),
    (0.08, lambda image, rng: image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))),
    (0.2, compressed),
    (0.08, lambda image, rng: ImageOps.grayscale(image).convert("RGB")),
)


def seen(pixels: np.ndarray, side: int, squashed: bool, rng: np.random.Generator) -> np.ndarray:
    """Return a training view of a photograph: uint8 (side, side, 3)."""
    image = _crop(Image.fromarray(pixels), side, squashed, rng)
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    for chance, change in CHANGES:
        if rng.random() < chance:
            image = change(image, rng)
    return np.asarray(image)


def plain(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return a photograph as the shipped encoder reads it: squashed to a square."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))


# ---------------------------------------------------------------- batches
class Batch(NamedTuple):
    """Views uint8 (N, S, S, 3), their sentences, and rows of sentences of others (M', 384)."""

    views: torch.Tensor
    said: Sentences
    others: torch.Tensor


class Batches:
    """Makes batch number n, equal for equal seeds; a thread prepares the next batches."""

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

    def __call__(self, n: int) -> Batch:
        rng = np.random.default_rng([self.seed, n])
        chosen = rng.choice(self.train, BATCH, replace=False, p=self.chance)
        squashed = [self.photos.rows[i].source == "flickr8k" for i in chosen]
        views = [
            seen(self.photos[i], self.side, s, rng) for i, s in zip(chosen, squashed, strict=True)
        ]
        others = rng.choice(self.negatives, NEGATIVE_TEXTS, replace=False)
        return Batch(
            torch.from_numpy(np.stack(views)),
            Sentences(self, chosen.tolist()),
            self.text_rows[others],
        )

    def asked(self) -> tuple[list[int], list[int], torch.Tensor]:
        """Return Flickr8k val: photographs, sentences, and the photograph of each sentence."""
        which = self.photos.of("val", "flickr8k")
        texts = [text for i in which for text in self.own[i]]
        return which, texts, torch.tensor([n for n, i in enumerate(which) for _ in self.own[i]])

    def since(self, first: int, end: int) -> Iterator[Batch]:
        with ThreadPoolExecutor(1) as pool:
            waiting: list[Future[Any]] = [
                pool.submit(self, n) for n in range(first, min(first + 3, end))
            ]
            for n in range(first, end):
                batch = waiting.pop(0).result()
                if n + 3 < end:
                    waiting.append(pool.submit(self, n + 3))
                yield batch


# ---------------------------------------------------------------- the loss
class Sentences:
    """All sentences of some photographs, and the photograph of each sentence.

    Every sentence of a photograph is right, so all its sentences are in the batch. If only one
    were drawn, the others would be negatives of the same photograph in the next step.
    """

    def __init__(self, batches: Batches, chosen: list[int]):
        own = [batches.own[i] for i in chosen]
        self.rows = batches.text_rows[[text for texts in own for text in texts]]
        self.means = batches.mean_rows[chosen]
        self.owner = torch.tensor([n for n, texts in enumerate(own) for _ in texts])
        self.share = 1 / torch.tensor([len(texts) for texts in own])[self.owner]

    def mean(self, losses: torch.Tensor) -> torch.Tensor:
        """Average losses (M,) over the sentences of each photograph, then over photographs."""
        return (losses * self.share).sum() / len(self.means)


class Negatives(NamedTuple):
    """Negatives besides the batch, as unit rows.

    They are photographs (N', D), the means of the sentences of these photographs (N', D), and
    sentences (M', D).
    """

    photos: torch.Tensor = torch.zeros(0, SIZE)
    means: torch.Tensor = torch.zeros(0, SIZE)
    texts: torch.Tensor = torch.zeros(0, SIZE)


NO_NEGATIVES = Negatives()


def contrast(
    rows: torch.Tensor, said: Sentences, scale: torch.Tensor, others: Negatives = NO_NEGATIVES
) -> torch.Tensor:
    """Contrast, in both directions, unit rows (N, D) of photographs and all their sentences (M, D).

    For a photograph, the target is the same for each of its sentences; for a sentence, it is its
    photograph. Sentences that are similar to the mean of a photograph's own sentences are not
    negatives of the photograph.
    """
    photos, each = len(rows), torch.arange(len(said.owner))
    means, texts = torch.cat([said.means, others.means]), torch.cat([said.rows, others.texts])
    with torch.autocast("cpu", torch.bfloat16):
        similarity = (torch.cat([rows, others.photos]) * scale) @ texts.T
        alike = means @ texts.T > ALIKE
    alike[said.owner, each] = False
    right = similarity[said.owner, each].float()
    # The exponentials serve both directions; the scale has a limit, so they do not overflow.
    negatives = similarity.float().exp().masked_fill(alike, 0.0)
    to_text = negatives[:photos].sum(1).log()[said.owner] - right
    to_image = negatives[:, : len(each)].sum(0).log() - right
    return said.mean(to_text) + said.mean(to_image)


def matching(
    rows: torch.Tensor, said: Sentences, log_scale: torch.Tensor, others: Negatives = NO_NEGATIVES
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the contrast of unit rows (N, D), and their distance from mean sentences."""
    found = contrast(rows, said, log_scale.exp().clamp(max=SCALE), others)
    return found, (1 - (rows * said.means).sum(-1)).mean()


class Loss:
    """Contrast with further sentences and with photographs of earlier batches, plus regression to
    the mean row of a photograph's sentences.
    """

    def __init__(self) -> None:
        self.past, self.past_means = torch.zeros(0, SIZE), torch.zeros(0, SIZE)

    def __call__(
        self, rows: torch.Tensor, batch: Batch, log_scale: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, float]]:
        z, said = F.normalize(rows.float(), dim=-1), batch.said
        others = Negatives(self.past, self.past_means, batch.others)
        found, far = matching(z, said, log_scale, others)
        self.past = torch.cat([z.detach(), self.past])[:QUEUE]
        self.past_means = torch.cat([said.means, self.past_means])[:QUEUE]
        return found + far, {"contrast": found.item(), "far": far.item()}


# ---------------------------------------------------------------- evaluation
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
    """Return R@1/5/10 in per cent. images (N, D), texts (M, D), owner (M,): each text's image."""
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


def evaluate(tower: ImageTower, batches: Batches, side: int) -> dict[str, list[float]]:
    which, texts, owner = batches.asked()
    return recalls(image_rows(tower, batches.photos, which, side), batches.text_rows[texts], owner)


# ---------------------------------------------------------------- training
def groups(tower: ImageTower, frozen: int, rate: float) -> list[dict[str, Any]]:
    """Make the parameter groups: the stem and the first `frozen` blocks do not learn; the head
    learns three times as fast.
    """
    for part in [tower.stem, *tower.blocks[:frozen]] if frozen else []:
        part.requires_grad_(False)
    head = tower.head_parameters()
    own = {id(p) for p in head}
    body = [p for p in tower.parameters() if p.requires_grad and id(p) not in own]
    return [
        {"params": body, "rate": rate, "weight_decay": 0.01},
        {"params": head, "rate": 3 * rate, "weight_decay": 0.05},
    ]


def begun(args: argparse.Namespace) -> tuple[ImageTower, torch.nn.Parameter]:
    """Return an earlier run's tower, or the initial weights; and the logarithm of the scale."""
    if not args.start:
        return start_image_tower(), torch.nn.Parameter(torch.tensor(math.log(20.0)))
    first = torch.load(args.work / f"image-{args.start}.pt", weights_only=True)
    return load_image_tower(first["ema"]), torch.nn.Parameter(first["log_scale"].clone())


class ImageTrainer(Trainer[ImageTower, Batch]):
    """Trains an image tower to match photographs and their sentences."""

    evaluate_every, clip_norm = 300, 2.0

    def __init__(self, batches: Batches, args: argparse.Namespace):
        tower, self.log_scale = begun(args)
        parts = groups(tower, args.frozen, args.rate)
        parts.append({"params": [self.log_scale], "rate": 10 * args.rate, "weight_decay": 0.0})
        super().__init__(tower, parts, args.images // BATCH)
        self.clipped = [p for part in parts for p in part["params"]]
        self.batches, self.seed, self.loss_of = batches, args.seed, Loss()

    def loss(self, batch: Batch) -> tuple[torch.Tensor, dict[str, float]]:
        self.tower.train()
        torch.manual_seed(self.seed * 1_000_003 + self.step)  # dropout, the same after a restart
        with torch.autocast("cpu", torch.bfloat16):
            rows = self.tower(batch.views)
        loss, numbers = self.loss_of(rows, batch, self.log_scale)
        return loss, numbers | {"scale": self.log_scale.exp().item()}

    def evaluate(self) -> str:
        return f"flickr8k val: {evaluate(self.ema, self.batches, 160)}"

    def state(self) -> dict[str, Any]:
        past = {"past": self.loss_of.past, "past_means": self.loss_of.past_means}
        return super().state() | past | {"log_scale": self.log_scale.data}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.log_scale.data.copy_(state["log_scale"])
        self.loss_of.past, self.loss_of.past_means = state["past"], state["past_means"]


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    batches = Batches(args.work, args.side, args.seed, args.rows)
    name = f"image-{args.out}"
    ImageTrainer(batches, args).run(name, batches.since, args.work / f"{name}.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder that data.py wrote")
    parser.add_argument("--out", required=True, help="the name of this run")
    parser.add_argument("--start", help="begin with the weights of this run")
    parser.add_argument(
        "--rows",
        default="photo_rows",
        help="photo_rows: the teacher's; photo_rows-NAME: text run NAME's",
    )
    parser.add_argument("--images", type=int, default=100_000, help="number of views to train on")
    parser.add_argument("--side", type=int, default=160, help="side of a picture in pixels")
    parser.add_argument(
        "--frozen", type=int, default=0, help="number of first blocks to keep fixed"
    )
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    start_log(args.work / f"image-{args.out}.log")
    train(args)


if __name__ == "__main__":
    main()

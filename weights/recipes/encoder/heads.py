"""Train the head of the image tower alone, to the end, on features that are computed once.

    python -m recipes.encoder.heads --work runs/encoder --start upper --out headed
    python -m recipes.encoder.heads --work runs/encoder --start earlier --out final \
        --rows photo_rows-earlier --side 224

With --blend B, the weights of the body are first averaged with its initial weights: B times the
trained weights plus 1 - B times the initial weights (Wortsman et al. 2022). The initial weights
were trained on far more photographs, and the average is more accurate than either.

An epoch over features takes a second; an epoch over photographs takes minutes. Between two runs of
image.py, the head adapts to the body, so the gradients that image.py then passes to the body are
more useful. After an interruption, the same command keeps the features that exist.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from rdmf_cli.files import write_own
from recipes.encoder.data import log, start_log
from recipes.encoder.image import Batches, Sentences, matching, plain, recalls, seen
from recipes.encoder.learning import Trainer, save
from recipes.encoder.towers import ImageTower, load_image_tower, start_image_tower

BATCH = 1024
HIDDEN, RATE, DROP = 512, 1e-3, 0.7
# Photographs with captions are drawn more often than in image.py, because captions differ more.
WEIGHTS, OTHERS = {"flickr8k": 5.0, "coco_sample": 3.0, "stanford40": 1.2, "har15": 1.0}, 0.7


class Pooled(nn.Module):
    """The body of a tower alone: uint8 images (N, S, S, 3) to pooled features (N, 1280)."""

    def __init__(self, tower: ImageTower):
        super().__init__()
        self.tower = tower

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.tower.features(images)


def body_of(tower: ImageTower, side: int, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the body in ONNX Runtime, in float32 as shipped; faster than torch in bfloat16."""
    from onnxruntime import InferenceSession, SessionOptions

    from recipes.encoder.export import graph_of

    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    graph = graph_of(Pooled(tower), example, "images", ["pooled"]).SerializeToString()
    options = SessionOptions()
    options.intra_op_num_threads = threads
    session = InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def seen_in(view: int, batches: Batches, i: int) -> np.ndarray:
    """Return a view of photograph i: 0 is plain, 1 is mirrored, all others are camera views."""
    pixels, side = batches.photos[i], batches.side
    if view > 1:
        squashed = batches.photos.rows[i].source == "flickr8k"
        return seen(pixels, side, squashed, np.random.default_rng([view, i]))
    return plain(pixels, side)[:, :: -1 if view else 1]


def write_features(
    body: Callable[[np.ndarray], np.ndarray],
    batches: Batches,
    which: list[int],
    view: int,
    file: Path,
) -> None:
    """Write features float32 (N, 1280) of one view of each photograph."""
    found = [
        body(np.stack([seen_in(view, batches, i) for i in which[start : start + 16]]))
        for start in range(0, len(which), 16)
    ]
    features = np.concatenate(found)
    write_own(file, lambda out: np.save(out, features))
    log.info("features: view %d of %d photographs", view, len(which))


def blend(tower: ImageTower, share: float) -> None:
    """Average the weights of the body: `share` of the trained weights, the rest initial weights."""
    if share == 1:
        return
    first = start_image_tower().state_dict()
    with torch.no_grad():
        for name, values in tower.named_parameters():
            if name.startswith(("stem", "blocks", "last")):
                values.lerp_(first[name], 1 - share)


def body_to_begin_with(args: argparse.Namespace) -> ImageTower:
    """Return the tower of a run, averaged with the initial weights as requested."""
    if args.start is None:
        return start_image_tower()
    file = args.work / f"image-{args.start}.pt"
    tower = load_image_tower(torch.load(file, weights_only=True)["ema"])
    blend(tower, args.blend)
    return tower


def new_layers(views: torch.Tensor, hidden: int, seed: int) -> tuple[ImageTower, nn.Parameter]:
    """Return a tower with a new head, which knows only the statistics of its features (V, N, 1280).

    Also return the logarithm of the scale of its contrast.
    """
    torch.manual_seed(seed)
    tower = ImageTower(hidden)
    tower.centre.copy_(views.mean((0, 1)))
    tower.spread.copy_(views[0].std(0).mean())
    nn.init.zeros_(tower.out.weight)
    return tower, nn.Parameter(torch.tensor(math.log(20.0)))


def chances(batches: Batches) -> np.ndarray:
    """Return the probability that each training photograph is drawn."""
    weight = [WEIGHTS.get(batches.photos.rows[i].source, OTHERS) for i in batches.train]
    return np.array(weight) / sum(weight)


def drawn(
    views: torch.Tensor, chance: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, torch.Tensor]:
    """Draw the training photographs of a batch, and the features (N, 1280) of a view of each."""
    chosen = rng.choice(len(chance), BATCH, replace=False, p=chance)
    return chosen, views[torch.from_numpy(rng.integers(len(views), size=BATCH)), chosen]


Drawn = tuple[np.ndarray, torch.Tensor]  # photographs (N,), and the features (N, 1280) of a view


class HeadTrainer(Trainer[ImageTower, Drawn]):
    """Trains a new head on features (V, N, 1280) of the training photographs."""

    warm_up, least = 30, 0.0
    decay, clip_norm = None, math.inf

    def __init__(
        self, views: torch.Tensor, batches: Batches, args: argparse.Namespace, seed: int
    ) -> None:
        head, self.log_scale = new_layers(views, args.hidden, seed)
        groups = [
            {"params": head.head_parameters(), "rate": args.rate, "weight_decay": 0.05},
            {"params": [self.log_scale], "rate": args.rate, "weight_decay": 0.0},
        ]
        steps = round(args.epochs * len(batches.train) / BATCH)
        super().__init__(head, groups, steps, beta=0.999)
        self.views, self.batches, self.chance = views, batches, chances(batches)
        self.rng = np.random.default_rng(seed)
        head.drop.p = args.drop

    def drawn(self, first: int, end: int) -> Iterator[Drawn]:
        """Draw the batches from one step to another."""
        for _ in range(first, end):
            yield drawn(self.views, self.chance, self.rng)

    def loss(self, batch: Drawn) -> tuple[torch.Tensor, dict[str, float]]:
        """Contrast photographs and their sentences."""
        chosen, features = batch
        self.tower.train()
        with torch.autocast("cpu", torch.bfloat16):
            rows = self.tower.head(features)
        rows = F.normalize(rows.float(), dim=-1)
        said = Sentences(self.batches, self.batches.train[chosen].tolist())
        loss = sum(matching(rows, said, self.log_scale), torch.zeros(()))
        return loss, {"loss": loss.item(), "scale": self.log_scale.exp().item()}


def fit(
    views: torch.Tensor, batches: Batches, args: argparse.Namespace, seed: int
) -> tuple[ImageTower, torch.Tensor]:
    """Train a head; return the head and the logarithm of the scale of its contrast."""
    trainer = HeadTrainer(views, batches, args, seed)
    trainer.run(f"head {seed}", trainer.drawn)
    return trainer.tower.eval(), trainer.log_scale.detach()


@torch.inference_mode()
def join(heads: list[ImageTower], seen: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return one head that gives the mean of the rows of several heads, each divided by its length.

    seen: features (N, 1280) on which that length is measured. The hidden layers are concatenated.
    """
    share = [1 / (len(heads) * h.head(seen).norm(dim=1).mean()) for h in heads]
    return {
        "direct.weight": sum(s * h.direct.weight for s, h in zip(share, heads, strict=True)),
        "direct.bias": sum(s * h.direct.bias for s, h in zip(share, heads, strict=True)),
        "hidden.weight": torch.cat([h.hidden.weight for h in heads]),
        "hidden.bias": torch.cat([h.hidden.bias for h in heads]),
        "out.weight": torch.cat([s * h.out.weight for s, h in zip(share, heads, strict=True)], 1),
        "out.bias": sum(s * h.out.bias for s, h in zip(share, heads, strict=True)),
    }


def new_head(
    tower: ImageTower, views: torch.Tensor, batches: Batches, args: argparse.Namespace
) -> tuple[ImageTower, torch.Tensor]:
    """Return the tower with a new head, and the logarithm of its scale."""
    heads, scales = [], []
    for n in range(args.heads):
        head, log_scale = fit(views, batches, args, args.seed + n)
        heads.append(head)
        scales.append(log_scale)
    joined = join(heads, views[0, :: len(views[0]) // 1000])
    kept = {"centre": heads[0].centre, "spread": heads[0].spread}
    return load_image_tower(tower.state_dict() | kept | joined), torch.stack(scales).mean()


def add_body_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the body and its view of the photographs."""
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--start", help="the run of image.py to begin with; by default the initial weights"
    )
    parser.add_argument("--blend", type=float, default=1.0, help="share of the trained body")
    parser.add_argument("--side", type=int, default=160, help="side of a picture in pixels")
    parser.add_argument("--views", type=int, default=2, help="views of each photograph")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)


class Features:
    """The pooled features of photographs by one body, computed once and kept in files."""

    def __init__(self, tower: ImageTower, batches: Batches, args: argparse.Namespace):
        self.batches, self.args, self.tower = batches, args, tower

    @cached_property
    def body(self) -> Callable[[np.ndarray], np.ndarray]:
        return body_of(self.tower.eval(), self.args.side, self.args.threads)

    def _of(self, which: list[int], view: int, name: str) -> torch.Tensor:
        body = f"{self.args.start or 'first'}-{self.args.blend}-{self.args.side}"
        file = self.args.work / f"features-{body}-{name}.npy"
        if not file.exists():
            write_features(self.body, self.batches, which, view, file)
        return torch.from_numpy(np.load(file))

    def view(self, n: int) -> torch.Tensor:
        """Return view n of every training photograph, (N, 1280)."""
        return self._of(self.batches.train.tolist(), n, f"view{n}")

    def views(self) -> torch.Tensor:
        """Return all requested views of every training photograph, (V, N, 1280)."""
        return torch.stack([self.view(n) for n in range(self.args.views)])

    def val(self) -> torch.Tensor:
        return self._of(self.batches.asked()[0], 0, "val0")


def evaluate_head(
    head: ImageTower, seen: torch.Tensor, texts: torch.Tensor, owner: torch.Tensor
) -> dict[str, list[float]]:
    """Return the recalls of a head on features (N, 1280), for sentences with the rows (M, 384)."""
    with torch.inference_mode():
        rows = F.normalize(head.eval().head(seen), dim=-1)
    return recalls(rows, texts, owner)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_body_options(parser)
    parser.add_argument("--out", required=True, help="the name of this run")
    parser.add_argument("--rows", default="photo_rows", help="as for image.py")
    parser.add_argument("--heads", type=int, default=2, help="number of heads to average")
    parser.add_argument("--hidden", type=int, default=HIDDEN, help="hidden width of each head")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--drop", type=float, default=DROP)
    parser.add_argument("--only-view", type=int, help="write the features of this view and stop")
    args = parser.parse_args()
    start_log(args.work / f"head-{args.out}.log")
    torch.set_num_threads(args.threads)
    batches = Batches(args.work, args.side, 0, args.rows)
    tower = body_to_begin_with(args)
    features = Features(tower, batches, args)
    if args.only_view is not None:  # several machines or processes can share the work
        features.view(args.only_view)
        return
    tower, log_scale = new_head(tower, features.views(), batches, args)
    _, texts, owner = batches.asked()
    found = evaluate_head(tower, features.val(), batches.text_rows[texts], owner)
    log.info("flickr8k val: %s", found)
    save(
        args.work / f"image-{args.out}.pt",
        tower=tower.state_dict(), ema=tower.state_dict(), log_scale=log_scale,
    )  # fmt: skip


if __name__ == "__main__":
    main()

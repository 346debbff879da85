"""Train the head of the image tower alone, to the end, on features that are computed once.

    python heads.py --work runs/encoder --start upper --out headed

With --blend B the body's weights are first drawn back towards those that it began with, B of the
trained and 1 - B of the first ones (Wortsman et al. 2022): the first ones know more of the world
than our few photographs taught, and the mean of both sees better than either.

An epoch over features takes a second where one over photographs takes minutes: between runs of
image.py the head catches up with the body, and what image.py then sends back to the body says
more. Run again after a kill, it keeps the features that it has.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
from pathlib import Path

import numpy as np
import torch
from data import log
from image import ALIKE, Batches, contrast, plain, recalls, save, seen
from torch import nn
from torch.nn import functional as F  # noqa: N812
from towers import ImageTower, start_image_tower

BATCH = 1024


@torch.inference_mode()
def view_features(
    tower: ImageTower, batches: Batches, which: list[int], view: int, file: Path
) -> torch.Tensor:
    """Features float16 (N, 1280) of one view of each photograph; view 0 is the plain one."""
    if file.exists():
        return torch.from_numpy(np.load(file))
    found = []
    for start in range(0, len(which), 64):
        views = []
        for i in which[start : start + 64]:
            rng = np.random.default_rng([view, i])
            squashed = batches.photos.rows[i].source == "flickr8k"
            pixels = batches.photos[i]
            side = batches.side
            views.append(seen(pixels, side, squashed, rng) if view else plain(pixels, side))
        with torch.autocast("cpu", torch.bfloat16):
            found.append(tower.features(torch.from_numpy(np.stack(views))).half())
    features = torch.cat(found)
    with open(file.with_suffix(".part"), "wb") as out:
        np.save(out, features.numpy())
    os.replace(file.with_suffix(".part"), file)
    log.info("features: view %d of %d photographs", view, len(which))
    return features


def blend(tower: ImageTower, share: float) -> None:
    """Weights of the body: `share` of the trained ones, the rest of those it began with."""
    first = start_image_tower().state_dict()
    with torch.no_grad():
        for name, values in tower.named_parameters():
            if name.startswith(("stem", "blocks", "last")):
                values.lerp_(first[name], 1 - share)


def fit(
    tower: ImageTower, views: torch.Tensor, batches: Batches, epochs: int, rate: float, drop: float
) -> nn.Parameter:
    """Train a new head on features (V, N, 1280) of the training photographs."""
    tower.centre.copy_(views.mean((0, 1), dtype=torch.float32))
    tower.spread.copy_(views[0].float().std(0).mean())
    for layer in (tower.direct, tower.hidden, tower.out):
        layer.reset_parameters()
    nn.init.zeros_(tower.out.weight)
    head = nn.ModuleList([tower.direct, tower.hidden, tower.out])
    log_scale = nn.Parameter(torch.tensor(math.log(20.0)))
    optimizer = torch.optim.AdamW(
        [{"params": head.parameters()}, {"params": [log_scale], "weight_decay": 0.0}],
        rate,
        weight_decay=0.05,
    )
    rng, own = np.random.default_rng(0), [batches.own[i] for i in batches.train]
    steps = round(epochs * len(batches.train) / BATCH)
    tower.drop.p = drop
    tower.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = (
                rate * min(1, (step + 1) / 30) * (1 + math.cos(math.pi * step / steps)) / 2
            )
        chosen = rng.choice(len(own), BATCH, replace=False, p=batches.chance)
        texts = batches.text_rows[[int(rng.choice(own[i])) for i in chosen]]
        means = batches.mean_rows[batches.train[chosen]]
        features = views[torch.from_numpy(rng.integers(len(views), size=BATCH)), chosen].float()
        rows, alike = F.normalize(tower.head(features), dim=-1), texts @ texts.T > ALIKE
        scale = log_scale.exp().clamp(max=60)
        loss = (
            contrast(rows * scale, texts, alike)
            + contrast(texts * scale, rows, alike)
            + (1 - (rows * means).sum(-1)).mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            log.info("%d/%d loss %.3f scale %.1f", step, steps, loss.item(), log_scale.exp().item())
    return log_scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--start", required=True, help="the run of image.py to begin with")
    parser.add_argument("--out", required=True, help="the name of this run")
    parser.add_argument("--rows", default="photo_rows", help="as for image.py")
    parser.add_argument("--side", type=int, default=160, help="pixels")
    parser.add_argument("--views", type=int, default=2, help="of each photograph")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--drop", type=float, default=0.5)
    parser.add_argument("--blend", type=float, default=1.0, help="share of the trained body")
    parser.add_argument("--only-view", type=int, help="write the features of this view and stop")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.StreamHandler(), logging.FileHandler(args.work / f"head-{args.out}.log")],
    )
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    batches = Batches(args.work, args.side, 0, args.rows)
    tower = start_image_tower()
    tower.load_state_dict(
        torch.load(args.work / f"image-{args.start}.pt", weights_only=True)["ema"]
    )
    blend(tower, args.blend)
    tower.eval()

    def features(which: list[int], view: int, name: str) -> torch.Tensor:
        file = args.work / f"features-{args.start}-{args.blend}-{args.side}-{name}{view}.npy"
        return view_features(tower, batches, which, view, file)

    if args.only_view is not None:  # several machines or processes can share the work
        features(batches.train.tolist(), args.only_view, "view")
        return
    val = batches.photos.of("val", "flickr8k")
    seen_val = features(val, 0, "val")
    views = torch.stack([features(batches.train.tolist(), v, "view") for v in range(args.views)])
    log_scale = fit(tower, views, batches, args.epochs, args.rate, args.drop)
    tower.eval()
    with torch.inference_mode():
        rows = F.normalize(tower.head(seen_val.float()), dim=-1)
    texts = [t for i in val for t in batches.own[i]]
    owner = torch.tensor([n for n, i in enumerate(val) for _ in batches.own[i]])
    log.info("flickr8k val: %s", recalls(rows, batches.text_rows[texts], owner))
    save(
        args.work / f"image-{args.out}.pt",
        tower=tower.state_dict(), ema=tower.state_dict(), log_scale=log_scale.data,
    )  # fmt: skip


if __name__ == "__main__":
    main()

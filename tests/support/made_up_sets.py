"""Small artificial datasets in the published layouts of the benchmarks.

A set has a dozen things that can be shown. During a moment, the rows of its clips point in the
direction of the thing that its query names, in every stream. So moments can be found, and a head
can learn to find them. Every writer fills a folder and returns the folder for --features:

    features = SETS["charades"](tmp_path, train=8, test=4)
    samples = open_samples(DATASETS["charades"], find_annotations("train", features, …), …)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

THINGS = 12
JOINT = 16  # the width of the space that sentences and one stream share
OTHER = 24  # the width of a stream of another network
NOISE = 0.6
WORDS_A_QUERY = 5
CHARADES_TEST_QID = 12404
YOUTUBE_DOMAINS = ("dog", "gymnastics", "parkour", "skating", "skiing", "surfing")
TVSUM_DOMAINS = ("BK", "BT", "DS", "FM", "GA", "MS", "PK", "PR", "VT", "VU")


@dataclass
class Moment:
    """Clips [first, last) that show a thing."""

    thing: int
    first: int
    last: int


@dataclass
class World:
    """The directions of the things, in the joint space and in the spaces of other networks."""

    seed: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        everywhere = np.random.default_rng(12)  # things have the same directions in every set
        self.things = everywhere.normal(size=(THINGS, JOINT))
        self.mixing = everywhere.normal(size=(JOINT, 8 * OTHER)) / np.sqrt(JOINT)

    def seen(self, thing: int, width: int, network: int = 0) -> np.ndarray:
        """Return the direction of a thing in a network's space; the joint space has width JOINT."""
        if width == JOINT:
            return self.things[thing]
        return self.things[thing] @ self.mixing[:, network : network + width]

    def rows(
        self, clips: int, moments: list[Moment], width: int = JOINT, network: int = 0
    ) -> np.ndarray:
        """Return float16 (clips, width) of a video: a background, and the things in its moments."""
        rows = NOISE * self.rng.normal(size=(clips, width)) + 0.5 * self.rng.normal(size=width)
        for moment in moments:
            rows[moment.first : moment.last] += self.seen(moment.thing, width, network)
        return rows.astype(np.float16)

    def words(self, thing: int, width: int = JOINT) -> np.ndarray:
        """Return float16 (T, width), in their own space: a start, words for the thing, an end."""
        words = 0.3 * self.rng.normal(size=(WORDS_A_QUERY + 2, width))
        words[1:-1] += self.things[thing] @ self.mixing[:, 7 : 7 + width]
        return words.astype(np.float16)

    def sentence(self, thing: int) -> np.ndarray:
        return (self.things[thing] + 0.1 * self.rng.normal(size=JOINT)).astype(np.float16)

    def moments(self, clips: int, count: int = 2) -> list[Moment]:
        """Draw moments of different things, each a third of its part of the video or longer."""
        things = self.rng.choice(THINGS, size=count, replace=False)
        edges = np.linspace(0, clips, count + 1).astype(int)
        found = []
        for thing, start, end in zip(things, edges[:-1], edges[1:], strict=True):
            length = int(self.rng.integers(max((end - start) // 3, 1), end - start + 1))
            first = int(self.rng.integers(start, end - length + 1))
            found.append(Moment(int(thing), first, first + length))
        return found

    def name(self, length: int) -> str:
        letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        return "".join(self.rng.choice(letters, size=length))


def query(thing: int) -> str:
    return f"thing number {thing} is shown"


def save(path: Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def save_plain(path: Path, rows: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, rows)


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def window(moment: Moment, clip_length: float, duration: float) -> list[float]:
    return [moment.first * clip_length, min(moment.last * clip_length, duration)]


def save_text(path: Path, world: World, thing: int) -> None:
    save(path, last_hidden_state=world.words(thing), pooler_output=world.sentence(thing))


def write_own(folder: Path, train: int = 8, val: int = 4, seed: int = 0) -> Path:
    """Write rdmf's layout: video/, text/ with two paraphrases per query, two JSONL files."""
    world = World(seed)
    qid = 0
    for split, videos in (("train", train), ("val", val)):
        records = []
        for number in range(videos):
            vid, clips = f"{split}{number}", int(world.rng.integers(20, 30))
            moments = world.moments(clips)
            save(folder / "video" / f"{vid}.npz", features=world.rows(clips, moments))
            for moment in moments:
                for end in ("", "_p0", "_p1"):
                    save_text(folder / "text" / f"qid{qid}{end}.npz", world, moment.thing)
                records.append(
                    {
                        "qid": qid,
                        "query": query(moment.thing),
                        "vid": vid,
                        "duration": 2.0 * clips,
                        "relevant_windows": [window(moment, 2.0, 2.0 * clips)],
                    }
                )
                qid += 1
        write_lines(folder / f"{split}.jsonl", records)
    return folder


def write_qvhighlights(folder: Path, train: int = 8, val: int = 4, seed: int = 0) -> Path:
    """Write moment_detr's layout: features/ with two streams, highlight_<split>_release.jsonl.

    Two videos come from every YouTube video; the second stream sometimes has one more clip.
    """
    world, features, qid, clips = World(seed), folder / "features", 100, 75
    for split, videos in (("train", train), ("val", val)):
        records = []
        youtube = [world.name(11) for _ in range(videos)]
        for number in range(videos):
            start = 60.0 + 150 * (number % 2)
            vid = f"{youtube[number // 2]}_{start}_{start + 150}"
            moments = world.moments(clips)
            save(features / "clip_features" / f"{vid}.npz", features=world.rows(clips, moments))
            slow = world.rows(clips + number % 2, moments, OTHER)
            save(features / "slowfast_features" / f"{vid}.npz", features=slow)
            for moment in moments:
                save_text(features / "clip_text_features" / f"qid{qid}.npz", world, moment.thing)
                ids = list(range(moment.first, moment.last))
                marks = world.rng.integers(1, 5, size=(len(ids), 3)).tolist()
                records.append(
                    {
                        "qid": qid,
                        "query": query(moment.thing),
                        "vid": vid,
                        "duration": 150,
                        "relevant_clip_ids": ids,
                        "saliency_scores": marks,
                        "relevant_windows": [window(moment, 2.0, 150.0)],
                    }
                )
                qid += 1
        write_lines(folder / f"highlight_{split}_release.jsonl", records)
    return features


def _write_charades(
    folder: Path,
    train: int,
    test: int,
    seed: int,
    clip_length: float,
    write_features: Callable[[World, str, int, list[Moment]], None],
    write_text: Callable[[World, int, int], None],
) -> None:
    """Write both forms of the annotations; in the text form, some ends are after the video."""
    world = World(seed)
    for split, videos, qid in (("train", train, 0), ("test", test, CHARADES_TEST_QID)):
        records, lines = [], []
        for _ in range(videos):
            vid, duration = world.name(5).upper(), round(world.rng.uniform(20, 35), 2)
            clips = int(duration / clip_length + 0.5)
            moments = world.moments(clips)
            write_features(world, vid, clips, moments)
            for moment in moments:
                write_text(world, qid, moment.thing)
                start, end = (round(t, 1) for t in window(moment, clip_length, duration))
                past = end + 1.4 if moment.last == clips else end
                lines.append(f"{vid} {start} {past:.1f}##{query(moment.thing)}.\n")
                records.append(
                    {
                        "qid": qid,
                        "query": f"{query(moment.thing)}.",
                        "duration": duration,
                        "vid": vid,
                        "relevant_windows": [[start, min(end, duration)]],
                    }
                )
                qid += 1
        write_lines(folder / f"charades_sta_{split}_tvr_format.jsonl", records)
        (folder / f"charades_sta_{split}.txt").write_text("".join(lines))


def write_charades(folder: Path, train: int = 8, test: int = 4, seed: int = 0) -> Path:
    """CLIP and SlowFast features of clips of a second; annotations as JSON Lines and text."""
    features = folder / "charades"

    def write_features(world: World, vid: str, clips: int, moments: list[Moment]) -> None:
        save(features / "clip_features" / f"{vid}.npz", features=world.rows(clips, moments))
        slow = world.rows(clips, moments, OTHER)
        save(features / "slowfast_features" / f"{vid}.npz", features=slow)

    def write_text(world: World, qid: int, thing: int) -> None:
        save_text(features / "clip_text_features" / f"qid{qid}.npz", world, thing)

    _write_charades(folder, train, test, seed, 1.0, write_features, write_text)
    return features


def write_charades_vgg(folder: Path, train: int = 8, test: int = 4, seed: int = 0) -> Path:
    """VGG features, six rows a second, in `.npy`; the words of another space, no sentences."""
    features = folder / "charades"

    def write_features(world: World, vid: str, clips: int, moments: list[Moment]) -> None:
        rows = world.rows(clips, moments, OTHER).astype(np.float32)
        save_plain(features / "vgg_features" / "rgb_features" / f"{vid}.npy", rows)

    def write_text(world: World, qid: int, thing: int) -> None:
        words = world.words(thing, width=10)
        save(features / "clip_text_features" / f"qid{qid}.npz", last_hidden_state=words)

    _write_charades(folder, train, test, seed, 1 / 6, write_features, write_text)
    return features


def _grounded(
    world: World,
    features: Path,
    vid: str,
    seconds: float,
    folders: tuple[str, str, str],
    qids: list[str],
    text_file: str,
) -> list[dict[str, Any]]:
    """Write one video of clips of 2 s in two streams, with one query per qid."""
    joint, other, text = folders
    clips = int(seconds / 2 + 0.5)
    moments = world.moments(clips, len(qids))
    save(features / joint / f"{vid}.npz", features=world.rows(clips, moments))
    save(features / other / f"{vid}.npz", features=world.rows(clips, moments, OTHER))
    records = []
    for qid, moment in zip(qids, moments, strict=True):
        save_text(features / text / text_file.format(qid), world, moment.thing)
        records.append(
            {
                "qid": qid,
                "query": query(moment.thing),
                "duration": seconds,
                "vid": vid,
                "relevant_windows": [window(moment, 2.0, seconds)],
            }
        )
    return records


def write_tacos(folder: Path, train: int = 8, val: int = 4, seed: int = 0) -> Path:
    """Write CG-DETR's layout: text features `<qid>.npz`, annotations in tacos/<split>.jsonl."""
    world, features = World(seed), folder / "features"
    names = ("clip_features", "slowfast_features", "clip_text_features")
    for split, videos in (("train", train), ("val", val)):
        records = []
        for number in range(videos):
            vid = f"s{number + 1}-d{world.rng.integers(10, 99)}{split[0]}"
            qids = [f"{vid}_{k}" for k in range(3)]
            seconds = float(world.rng.uniform(60, 130))
            records += _grounded(world, features, vid, seconds, names, qids, "{}.npz")
        write_lines(folder / "tacos" / f"{split}.jsonl", records)
    return features


def write_activitynet(folder: Path, train: int = 8, val: int = 4, seed: int = 0) -> Path:
    """Write lighthouse's layout, and the JSON of the captions: train.json, val_1.json."""
    world, features = World(seed), folder / "ActivityNet"
    names = ("clip", "slowfast", "clip_text")
    for name, videos in (("train", train), ("val_1", val)):
        entries: dict[str, dict[str, Any]] = {}
        for _ in range(videos):
            vid, seconds = f"v_{world.name(11)}", round(world.rng.uniform(40, 90), 2)
            qids = [f"{vid}_{k}" for k in range(2)]
            made = _grounded(world, features, vid, seconds, names, qids, "qid{}.npz")
            entries[vid] = {
                "duration": seconds,
                "timestamps": [record["relevant_windows"][0] for record in made],
                "sentences": [f" {record['query']}." for record in made],
            }
        (folder / f"{name}.json").write_text(json.dumps(entries))
    return features


def write_nlq(folder: Path, train: int = 8, val: int = 4, seed: int = 0) -> Path:
    """Write UniVTG's layout; the last query of each split has a window without length."""
    world, features = World(seed), folder / "ego4d"
    names = ("vid_clip", "vid_slowfast", "txt_clip")
    for split, videos in (("train", train), ("val", val)):
        records: list[dict[str, Any]] = []
        for _ in range(videos):
            qids = [f"{split}{len(records) + k}" for k in range(2)]
            vid = f"{world.name(8)}-{world.name(4)}"
            records += _grounded(world, features, vid, 160.0367, names, qids, "{}.npz")
        start = records[-1]["relevant_windows"][0][0]
        records[-1]["relevant_windows"] = [[start, start]]
        write_lines(folder / f"nlq_{split}.jsonl", records)
    return features


def write_tvsum(folder: Path, train: int = 8, val: int = 4, seed: int = 0) -> Path:
    """Colour and motion of one network in two `.npy`, texts by `token` and `text`, 20 annotators.

    `duration` counts clips of 2 s, as in the published files.
    """
    world, features = World(seed), folder / "features"
    for split, videos in (("train", train), ("val", val)):
        records = []
        for number in range(videos):
            vid, clips = world.name(11), int(world.rng.integers(30, 50))
            moment, _ = world.moments(clips)
            for k, part in enumerate(("rgb", "opt")):
                rows = world.rows(clips, [moment], OTHER, network=k).astype(np.float32)
                save_plain(features / "video_features" / f"{vid}_{part}.npy", rows)
            words, sentence = world.words(moment.thing), world.sentence(moment.thing)
            save(features / "query_features" / f"{vid}.npz", token=words, text=sentence[None])
            marks = world.rng.integers(1, 3, size=(clips, 20))
            marks[moment.first : moment.last] += 2
            records.append(
                {
                    "qid": vid,
                    "query": query(moment.thing),
                    "duration": clips,
                    "vid": vid,
                    "relevant_clip_ids": None,
                    "relevant_windows": None,
                    "label": marks.astype(float).tolist(),
                    "domain": TVSUM_DOMAINS[number % len(TVSUM_DOMAINS)],
                }
            )
        write_lines(folder / f"tvsum_{split}.jsonl", records)
    return features


def write_youtube_highlights(folder: Path, train: int = 8, val: int = 4, seed: int = 0) -> Path:
    """A row and a label for every 50 frames, however long those last; youtube_valid.jsonl."""
    world, features, fps = World(seed), folder / "youtube_uni", 29.97
    for split, videos in (("train", train), ("valid", val)):
        records = []
        for number in range(videos):
            vid, clips = world.name(11), int(world.rng.integers(30, 50))
            frames = 50 * (clips + 1)
            thing = number % len(YOUTUBE_DOMAINS)
            moment, _ = world.moments(clips)
            moment = Moment(thing, moment.first, moment.last)
            save(features / "vid_clip" / f"{vid}.npz", features=world.rows(clips, [moment]))
            slow = world.rows(clips, [moment], OTHER)
            save(features / "vid_slowfast" / f"{vid}.npz", features=slow)
            save_text(features / "txt_clip" / f"{vid}.npz", world, thing)
            shown = [int(moment.first <= i < moment.last) for i in range(clips)]
            records.append(
                {
                    "qid": vid,
                    "query": YOUTUBE_DOMAINS[thing],
                    "duration": frames / fps,
                    "vid": vid,
                    "relevant_clip_ids": None,
                    "relevant_windows": None,
                    "label": [[label] for label in shown],
                    "domain": YOUTUBE_DOMAINS[thing],
                    "frames": float(frames),
                    "fps": fps,
                    "clip": [[50.0 * i, 50.0 * i + 100] for i in range(clips)],
                    "match": [1 if label else -1 for label in shown],
                }
            )
        write_lines(folder / f"youtube_{split}.jsonl", records)
    return features


SETS: dict[str, Callable[..., Path]] = {
    "qvhighlights": write_qvhighlights,
    "charades": write_charades,
    "charades-vgg": write_charades_vgg,
    "tacos": write_tacos,
    "activitynet": write_activitynet,
    "nlq": write_nlq,
    "tvsum": write_tvsum,
    "youtube-highlights": write_youtube_highlights,
}
"""Writers by the names of DATASETS: (folder, train videos, val videos, seed) to the features."""

STREAMS = {
    "qvhighlights": ["clip_features", "slowfast_features"],
    "charades": ["clip_features", "slowfast_features"],
    "charades-vgg": ["vgg_features/rgb_features"],
    "tacos": ["clip_features", "slowfast_features"],
    "activitynet": ["clip", "slowfast"],
    "nlq": ["vid_clip", "vid_slowfast"],
    "tvsum": ["video_features"],
    "youtube-highlights": ["vid_clip", "vid_slowfast"],
}
"""The streams of features of each set."""

VALIDATION = {"charades": "test", "charades-vgg": "test"}
"""The name of the second split, if it is not "val"."""

"""The user's own footage: one encoder extracts videos and encodes queries when they are needed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rdmf_cli.datasets import (
    Samples,
    VideoFolder,
    open_samples,
    own_dataset,
    read_annotations,
)
from rdmf_cli.encoders import TextFeatures
from rdmf_cli.errors import RdmfError
from rdmf_cli.evaluation import evaluate
from rdmf_cli.evaluation.predict import predict
from rdmf_cli.heads.training_free.head import TrainingFree

COLOURS = {"red": (200, 20, 20), "green": (20, 160, 20), "blue": (20, 20, 200)}
FILMS = {"talk": ["red", "green", "green", "blue"], "walk": ["blue", "blue", "red", "red"]}
PART = 8  # seconds of one colour


class ColourEncoder:
    """Encodes the mean colour of a picture, and the names of colours."""

    name = "colours"
    size = 3
    fingerprint = "colours-1"
    batch = 4

    def __init__(self) -> None:
        self.pictures = 0

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        return frame.mean(axis=(0, 1)).astype(np.float32)

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        self.pictures += len(images)
        return images / 255

    def encode_texts(self, texts: Sequence[str]) -> TextFeatures:
        words = [
            np.array([COLOURS.get(word, (60, 60, 60)) for word in text.split()], np.float32)
            for text in texts
        ]
        rows = np.stack([states.mean(axis=0) - 60 for states in words])
        return TextFeatures(rows, tuple(words), (False,) * len(texts))


def write_film(path: Path, colours: list[str]) -> None:
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(5))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for colour in colours:
            image = np.full((48, 64, 3), COLOURS[colour], np.uint8)
            for _ in range(5 * PART):
                film.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        film.mux(stream.encode())


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """Two films in different containers, and three queries on them."""
    write_film(tmp_path / "talk.mp4", FILMS["talk"])
    write_film(tmp_path / "walk.MKV", FILMS["walk"])
    queries = [("talk", "green", [8, 24]), ("walk", "red", [16, 32]), ("talk", "blue", [24, 32])]
    lines = [
        {"qid": i, "vid": vid, "query": query, "duration": 32, "relevant_windows": [span]}
        for i, (vid, query, span) in enumerate(queries)
    ]
    write(tmp_path, lines)
    return tmp_path


def write(folder: Path, lines: list[dict]) -> Path:
    path = folder / "my.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def opened(footage: Path, encoder: ColourEncoder | str) -> Samples:
    annotations = read_annotations(footage / "my.jsonl")
    dataset = own_dataset(annotations)
    return open_samples(dataset, annotations, videos=footage, encoder=encoder)


def uncached(footage: Path, encoder: ColourEncoder) -> Samples:
    annotations = read_annotations(footage / "my.jsonl")
    dataset = own_dataset(annotations)
    return Samples(annotations, dataset, VideoFolder(footage, encoder, dataset.clip_length))


def test_moments_of_own_footage_are_found_and_scored(footage):
    encoder = ColourEncoder()
    samples = opened(footage, encoder)
    assert encoder.pictures == 0
    seen = []
    samples.prepare(lambda done, total, vid: seen.append((done, total, vid)))
    assert seen == [(0, 2, "talk"), (1, 2, "walk"), (2, 2, "")]
    assert encoder.pictures == 32
    assert (samples.encoder_name, samples.space.video, samples.space.sentence) == ("colours", 3, 3)
    for sample in samples:
        assert sample.video.shape == (16, 3)
        start, end = (sample.annotation.windows[0] / 2).astype(int)
        inside = np.isin(np.arange(16), np.arange(start, end))
        assert sample.similarity[inside].min() > sample.similarity[~inside].max()
        assert np.flatnonzero(sample.change > 0.3).tolist() == [
            4 * k - 1
            for k in range(1, 4)
            if FILMS[sample.annotation.vid][k] != FILMS[sample.annotation.vid][k - 1]
        ]
    predictions = predict(samples, samples.dataset, TrainingFree.load())
    result = evaluate(predictions, samples.annotations, samples.dataset)
    assert result["brief"]["MR-full-R1@0.7"] == 100
    assert encoder.pictures == 32


def test_features_are_kept_for_the_next_run_unless_not_wanted(footage):
    opened(footage, ColourEncoder()).prepare()
    warm, without = ColourEncoder(), ColourEncoder()
    opened(footage, warm).prepare()
    uncached(footage, without).prepare()
    assert (warm.pictures, without.pictures) == (0, 32)


def test_a_vid_may_name_the_file_with_its_suffix(footage):
    write_film(footage / "talk.mov", ["blue"] * 4)
    line = {"qid": 0, "vid": "talk.mov", "query": "blue", "duration": 32}
    write(footage, [line])
    assert opened(footage, ColourEncoder())[0].similarity.min() > 0.8
    write(footage, [{**line, "vid": "talk"}])
    with pytest.raises(RdmfError, match=r"two videos of this name, talk\.mov and talk\.mp4"):
        opened(footage, ColourEncoder())


def test_missing_videos_are_counted(footage):
    line = {"qid": 0, "vid": "sleep", "query": "blue", "duration": 32}
    write(footage, [line, {**line, "qid": 1, "vid": "walk"}])
    with pytest.raises(RdmfError, match=r"holds no video named sleep \(1 of the 2 .* my\.jsonl"):
        opened(footage, ColourEncoder())


def test_annotations_of_a_longer_video_are_noticed(footage):
    write(footage, [{"qid": 0, "vid": "talk", "query": "blue", "duration": 90}])
    with pytest.raises(
        RdmfError, match=r"has 16 rows, but the video of 90 s has 45\.0 clips"
    ) as caught:
        opened(footage, ColourEncoder()).prepare()
    assert caught.value.subject == str(footage / "talk.mp4")


def test_the_films_own_length_counts_where_annotations_have_none(footage):
    path = footage / "own.txt"
    path.write_text("talk 8 24##green\n")
    annotations = read_annotations(path)
    dataset = own_dataset(annotations, clip_length=3.0)
    sample = open_samples(dataset, annotations, videos=footage, encoder=ColourEncoder())[0]
    assert len(sample.video) == 11
    assert sample.duration == pytest.approx(32, abs=0.3)


def test_a_file_that_is_no_video_is_named(footage):
    (footage / "walk.MKV").write_bytes(b"no film")
    with pytest.raises(RdmfError) as caught:
        opened(footage, ColourEncoder()).prepare()
    assert caught.value.subject == str(footage / "walk.MKV")


def test_the_shipped_encoder_is_taken_by_name(footage):
    samples = opened(footage, "embedded")
    assert samples.encoder_name == "embedded"
    assert samples.space.video == samples.space.sentence == 384
    assert samples[0].words.shape[1] == samples.space.words


def test_the_data_layer_needs_no_torch():
    import subprocess

    code = (
        "import sys, rdmf_cli.datasets, rdmf_cli.evaluation.predict\n"
        "assert not {'torch', 'av', 'onnxruntime'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

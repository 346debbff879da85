"""Graphs kept in the cache in the form that loads fastest give the same bits."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rdmf_cli.api import Searcher
from rdmf_cli.channels.background import Background
from rdmf_cli.channels.question import Question
from rdmf_cli.features import FeatureStore, normalise_rows
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.moments.reading import Reading


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


def question(seed: int, clips: int) -> Question:
    rng = np.random.default_rng(seed)
    rows, sentence = (
        normalise_rows(rng.normal(size=(n, 64)).astype(np.float32)) for n in (clips, 1)
    )
    return Question(
        rows=rows,
        matching=slice(0, 64),
        sentence=sentence[0],
        words=sentence,
        clip_length=2.0,
        duration=2.0 * clips,
        background=Background(0.1, 0.05),
    )


def is_equal(one: Reading, other: Reading) -> bool:
    pairs = ((getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    return all(np.array_equal(a, b) for a, b in pairs)


def files(store: FeatureStore) -> list[Path]:
    return sorted(store.graphs.folder.glob("*.safetensors"))


@pytest.mark.parametrize("clips", [1, 40, 300])
def test_answers_are_equal_to_the_last_bit(store: FeatureStore, clips: int) -> None:
    plain, writing, reading = LearnedHead.load(), *(LearnedHead.load(None, store) for _ in "ab")
    asked = question(clips, clips)
    right = plain.read(asked)
    assert is_equal(writing.read(asked), right)
    assert len(files(store)) == 2
    assert is_equal(reading.read(asked), right)


def test_a_damaged_graph_is_made_again(store: FeatureStore) -> None:
    asked = question(0, 20)
    right = LearnedHead.load(None, store).read(asked)
    for file in files(store):
        file.write_bytes(file.read_bytes()[:-100])
    assert is_equal(LearnedHead.load(None, store).read(asked), right)
    assert FeatureStore(store.folder).graphs.entries()[0].about["key"]["onnxruntime"]


def test_a_kept_graph_that_is_no_graph_is_made_again(store: FeatureStore) -> None:
    asked = question(0, 20)
    right = LearnedHead.load(None, store).read(asked)
    for entry in store.graphs.entries():
        nothing = np.zeros((0, 0), np.float16)
        store.graphs.put(entry.about["key"], nothing, {}, {"graph": np.zeros(9, np.uint8)})
    assert is_equal(LearnedHead.load(None, store).read(asked), right)


def test_without_a_cache_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDMF_CACHE_DIR", str(tmp_path))
    Searcher(encoder="embedded", cache=False).loaded_head.read(question(0, 20))
    assert not list(tmp_path.iterdir())
    Searcher(encoder="embedded").loaded_head.read(question(0, 20))
    assert len(files(FeatureStore())) == 2

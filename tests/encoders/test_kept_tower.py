"""The rewritten form of the embedded text tower gives the same bits; a changed file is not used."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from rich.filesize import decimal

from rdmf_cli.api.cache import cache_size
from rdmf_cli.api.doctor import diagnose
from rdmf_cli.encoders.embedded import encoder as embedded
from rdmf_cli.encoders.embedded.encoder import EmbeddedEncoder
from rdmf_cli.encoders.embedded.kept_tower import GRAPH, SUMS, WEIGHTS, kept_folder
from rdmf_cli.outputs.upkeep import cache_size_in_words
from rdmf_cli.resources import sha256_of

TEXTS = ["a man opens the door", "", "Größe!", "word " * 60]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path))
    return kept_folder(sha256_of(embedded.TEXT_TOWER))


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """The features of the texts from the shipped tower."""
    many = [f"text {i}" for i in range(embedded.FEW_TEXTS)]
    return EmbeddedEncoder().encode_texts([*TEXTS, *many]).rows[: len(TEXTS)]


def test_the_kept_tower_has_the_same_bits_and_is_not_written_again(folder, expected):
    np.testing.assert_allclose(EmbeddedEncoder().encode_texts(TEXTS).rows, expected, atol=1e-6)
    first = EmbeddedEncoder().encode_texts(TEXTS[:1])
    when = (folder / WEIGHTS).stat().st_mtime_ns
    again = EmbeddedEncoder().encode_texts(TEXTS[:1])
    assert (folder / WEIGHTS).stat().st_mtime_ns == when
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_array_equal(first.words[0], again.words[0])
    assert {path.name for path in folder.parent.iterdir()} == {folder.name}


@pytest.mark.parametrize("name", [GRAPH, WEIGHTS, SUMS])
def test_a_changed_file_is_not_used(folder, expected, name):
    EmbeddedEncoder().encode_texts(TEXTS)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-50])
    np.testing.assert_allclose(EmbeddedEncoder().encode_texts(TEXTS).rows, expected, atol=1e-6)
    assert (folder / name).read_bytes() == whole  # made again


def test_a_folder_that_cannot_be_written_leaves_the_shipped_tower(tmp_path, monkeypatch, expected):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("RDMF_DATA_DIR", str(tmp_path / "file"))
    np.testing.assert_allclose(EmbeddedEncoder().encode_texts(TEXTS).rows, expected, atol=1e-6)


def test_a_new_tower_takes_the_place_of_those_of_other_versions(folder, monkeypatch):
    towers = folder.parent
    texts = TEXTS[:1]
    monkeypatch.setattr(onnxruntime, "__version__", "1.0.0")
    EmbeddedEncoder().encode_texts(texts)
    (old,) = towers.iterdir()
    for name, age in ((f".{old.name}.1", 2 * 86_400), (f".{old.name}.2", 60)):
        (towers / name).mkdir()
        os.utime(towers / name, (time.time() - age,) * 2)
    (towers / "0123abcd").mkdir()  # a converted CLIP model
    monkeypatch.undo()
    monkeypatch.setenv("RDMF_DATA_DIR", str(towers.parent))
    EmbeddedEncoder().encode_texts(texts)
    assert {path.name for path in towers.iterdir()} == {
        folder.name,
        "0123abcd",
        f".{old.name}.2",  # another process may be writing it
    }


def test_the_cache_and_doctor_count_it(folder):
    assert cache_size().towers_bytes == 0
    EmbeddedEncoder().encode_texts(TEXTS[:1])
    whole = sum(path.stat().st_size for path in folder.iterdir())
    assert cache_size().towers_bytes == whole > 10e6
    assert decimal(whole) in str(cache_size_in_words(cache_size()))
    (check,) = [check for check in diagnose().checks if check.name == "towers"]
    assert check.state == "ok"
    assert check.detail.startswith(f"{folder.parent} ({decimal(whole)};")

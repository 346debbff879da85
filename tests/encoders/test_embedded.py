"""The embedded encoder: its files are checked, and its features make sense."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data as pictures

from rdmf_cli.encoders.base import Encoder
from rdmf_cli.encoders.embedded.encoder import (
    IMAGE_TOWER,
    PIECES,
    SIDE,
    TEXT_TOWER,
    EmbeddedEncoder,
)
from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.resources import load_weights, read_manifest, weights_folder


@pytest.fixture(scope="module")
def encoder() -> EmbeddedEncoder:
    return EmbeddedEncoder()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped weights, to be damaged."""
    for name in ("manifest.json", IMAGE_TOWER, TEXT_TOWER, PIECES):
        shutil.copy(weights_folder() / name, tmp_path / name)
    return tmp_path


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def frames(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, SIDE, SIDE, 3), np.uint8)


# ---------------------------------------------------------------- the weights and their manifest
def test_the_manifest_lists_every_file_with_its_size() -> None:
    for name, entry in read_manifest()["files"].items():
        assert (weights_folder() / name).stat().st_size == entry["bytes"]
        assert len(load_weights(name)) == entry["bytes"]
        assert entry["role"]


def test_both_towers_are_small() -> None:
    sizes = [(weights_folder() / name).stat().st_size for name in (IMAGE_TOWER, TEXT_TOWER, PIECES)]
    assert sum(sizes) <= 24e6


def test_no_shipped_file_is_large() -> None:
    assert max(path.stat().st_size for path in weights_folder().iterdir()) <= 20e6


@pytest.mark.parametrize("name", [IMAGE_TOWER, TEXT_TOWER, PIECES])
def test_a_changed_file_is_refused_by_name(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(RdmfError, match=name):
        load_weights(name, folder)


@pytest.mark.parametrize("name", [IMAGE_TOWER, TEXT_TOWER, PIECES])
def test_a_missing_file_is_named_and_its_remedy_told(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(RdmfError, match=f"{name}.*missing") as caught:
        load_weights(name, folder)
    assert "install" in caught.value.todo


def test_the_encoder_checks_what_it_loads(folder: Path) -> None:
    (folder / TEXT_TOWER).write_bytes(b"something else")
    with pytest.raises(RdmfError, match=TEXT_TOWER):
        EmbeddedEncoder(folder).encode_texts(["a dog"])


def test_without_a_manifest_there_is_no_encoder(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(RdmfError, match=r"manifest\.json"):
        EmbeddedEncoder(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": 3}', '{"files": {}}'])
def test_a_broken_manifest_is_an_error_that_names_it(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content)
    with pytest.raises(RdmfError, match=r"manifest\.json"):
        EmbeddedEncoder(folder)


def test_the_fingerprint_follows_the_weights(folder: Path) -> None:
    before = EmbeddedEncoder(folder).fingerprint
    assert before == EmbeddedEncoder().fingerprint
    other = folder / "other"
    shutil.copytree(folder, other)
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["files"][IMAGE_TOWER]["sha256"] = "0" * 64
    (other / "manifest.json").write_text(json.dumps(manifest))
    assert EmbeddedEncoder(other).fingerprint != before


def test_a_text_needs_no_image_tower(folder: Path) -> None:
    (folder / IMAGE_TOWER).unlink()
    assert EmbeddedEncoder(folder).encode_texts(["a dog"]).rows.shape == (1, 384)


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from rdmf_cli.encoders.embedded.encoder import EmbeddedEncoder as E;"
        "E().encode_texts(['a dog']);"
        "print(sorted({'torch', 'transformers', 'tokenizers'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


# ---------------------------------------------------------------- the protocol
def test_it_is_an_encoder(encoder: EmbeddedEncoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.name == "embedded"
    assert encoder.size == 384


@pytest.mark.parametrize("shape", [(1080, 1920), (240, 320), (1, 1), (3, 2000), (SIDE, SIDE)])
def test_frames_of_any_shape_are_prepared(encoder: EmbeddedEncoder, shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    prepared = encoder.prepare(frame)
    assert prepared.shape == (SIDE, SIDE, 3)
    assert prepared.dtype == np.uint8


def test_the_whole_width_of_a_frame_is_seen(encoder: EmbeddedEncoder) -> None:
    frame = np.zeros((90, 160, 3), np.uint8)
    frame[:, :16], frame[:, -16:] = 255, 255
    prepared = encoder.prepare(frame)
    assert prepared[:, 0].min() > 200
    assert prepared[:, -1].min() > 200


@pytest.mark.parametrize("count", [0, 1, 5, 33])
def test_image_rows_do_not_depend_on_their_neighbours(encoder: EmbeddedEncoder, count: int) -> None:
    images = frames(count)
    rows = encoder.encode_images(images)
    assert rows.shape == (count, 384)
    assert rows.dtype == np.float32
    for image, row in zip(images[:3], rows[:3], strict=True):
        np.testing.assert_allclose(encoder.encode_images(image[None])[0], row, atol=1e-4)


def test_the_same_images_give_the_same_bytes(encoder: EmbeddedEncoder) -> None:
    assert encoder.encode_images(frames(7)).tobytes() == encoder.encode_images(frames(7)).tobytes()


@pytest.mark.parametrize("value", [0, 255])
def test_flat_frames_give_finite_rows(encoder: EmbeddedEncoder, value: int) -> None:
    flat = np.full((1, SIDE, SIDE, 3), value, np.uint8)
    assert np.isfinite(encoder.encode_images(flat)).all()


def test_no_texts_give_no_rows(encoder: EmbeddedEncoder) -> None:
    found = encoder.encode_texts([])
    assert found.rows.shape == (0, 384)
    assert found.words == ()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_texts_of_any_script_give_finite_rows(encoder: EmbeddedEncoder, texts: list[str]) -> None:
    found = encoder.encode_texts(texts)
    assert found.rows.shape == (len(texts), 384)
    assert np.isfinite(found.rows).all()
    for row, words in zip(found.rows, found.words, strict=True):
        assert words.shape[1] == 384
        assert 2 <= len(words) <= 48
        np.testing.assert_allclose(words.mean(0), row, atol=1e-4)


@pytest.mark.parametrize("text", ["", " \n\t", "犬が走る", "собака бежит", "\U0001f415" * 30, "\0"])
def test_odd_texts_have_rows_too(encoder: EmbeddedEncoder, text: str) -> None:
    assert np.isfinite(encoder.encode_texts([text]).rows).all()


def test_a_text_of_ten_thousand_words_is_cut(encoder: EmbeddedEncoder) -> None:
    found = encoder.encode_texts(["a dog runs " * 3334])
    assert found.words[0].shape == (48, 384)


def test_text_rows_do_not_depend_on_their_neighbours(encoder: EmbeddedEncoder) -> None:
    texts = ["a dog", "a man in a red shirt climbs", "the sea", "two cats", "a cat sleeps"]
    together = encoder.encode_texts(texts).rows
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(encoder.encode_texts([text]).rows[0], row, atol=1e-4)


def test_case_accents_and_spaces_make_no_difference(encoder: EmbeddedEncoder) -> None:
    rows = encoder.encode_texts(["a man in a café", "A  Man in a CAFE"]).rows
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def test_a_thread_count_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDMF_THREADS", "many")
    with pytest.raises(UsageError, match="RDMF_THREADS"):
        EmbeddedEncoder().encode_texts(["a dog"])


# ---------------------------------------------------------------- does it mean anything?
def test_sentences_that_say_the_same_lie_near_each_other(encoder: EmbeddedEncoder) -> None:
    texts = ["a dog runs on the beach", "a puppy is running by the sea", "he fixes the car engine"]
    rows = unit(encoder.encode_texts(texts).rows)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.3


SEEN = {"chelsea": "the face of a cat", "coffee": "a cup of coffee on a table"}
NOT_SEEN = [
    "a man rides a horse",
    "people ski down a mountain",
    "waves on a beach",
    "a red bus in a street",
    "children play football",
    "an airplane in the sky",
]


@pytest.mark.parametrize("name", sorted(SEEN))
def test_a_photograph_is_found_among_distractors(encoder: EmbeddedEncoder, name: str) -> None:
    picture = encoder.prepare(getattr(pictures, name)())
    texts = [SEEN[name], *NOT_SEEN, *(text for other, text in SEEN.items() if other != name)]
    rows = unit(encoder.encode_texts(texts).rows)
    assert (rows @ unit(encoder.encode_images(picture[None]))[0]).argmax() == 0

"""Converted towers: torch answers once; from then on ONNX Runtime gives the same results."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import tiny_clip
from assigned_texts import ASSIGNED, assume_assigned
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_clip import CONFIGS, TinyClip, frames

from rdmf_cli.encoders import load_encoder
from rdmf_cli.encoders.open_clip import convert, towers
from rdmf_cli.encoders.open_clip.encoder import OpenClipEncoder
from rdmf_cli.encoders.open_clip.towers import Record, Towers, find_record, towers_folder

TEXTS = ["a man opens the door", "", "A  cup, isn't it?!\n", "word " * 200, "<end_of_text> b"]

ASK = """
import sys
import numpy as np
from rdmf_cli.encoders import load_encoder
encoder = load_encoder(sys.argv[1])
frame = np.load(sys.argv[2])
rows = encoder.encode_images(encoder.prepare(frame)[None])
np.savez(sys.argv[3], image=rows, text=encoder.encode_texts(["a man opens the door"]).rows)
assert not {"torch", "open_clip", "torchvision", "onnx"} & set(sys.modules)
"""


@pytest.fixture(scope="module", params=CONFIGS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TinyClip:
    return tiny_clip.make(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> TinyClip:
    return tiny_clip.make("plain", tmp_path_factory.mktemp("plain"))


@pytest.fixture(autouse=True, scope="module")
def own_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RDMF_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        yield


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return (one * other).sum(-1) / lengths


def test_the_first_use_converts_and_agrees_with_torch(model: TinyClip) -> None:
    encoder = load_encoder(str(model.folder), device="cpu")
    found = encoder.encode_texts(TEXTS)
    assert isinstance(encoder._model, Towers)
    assert cosines(found.rows, model.text_rows(TEXTS)).min() > 0.9999
    assert found.cut == (False, False, False, True, False)
    pictures = frames(40)  # more pictures than a batch
    prepared = np.stack([encoder.prepare(picture) for picture in pictures])
    assert cosines(encoder.encode_images(prepared), model.image_rows(pictures)).min() > 0.9999


def test_later_processes_import_no_torch(plain: TinyClip, tmp_path: Path) -> None:
    encoder = load_encoder(str(plain.folder), device="cpu")
    encoder.encode_texts(["first"])
    frame = frames(1)[0]
    np.save(tmp_path / "frame.npy", frame)
    names = [str(plain.folder), str(tmp_path / "frame.npy"), str(tmp_path / "rows.npz")]
    subprocess.run([sys.executable, "-c", ASK, *names], check=True)
    with np.load(tmp_path / "rows.npz") as rows:
        assert cosines(rows["text"], plain.text_rows(["a man opens the door"])).min() > 0.9999
        assert cosines(rows["image"], plain.image_rows(frame[None])).min() > 0.9999


def test_a_changed_tower_is_not_used(plain: TinyClip) -> None:
    encoder = load_encoder(str(plain.folder), device="cpu")
    encoder.encode_texts(TEXTS[:1])
    folder = towers_folder(encoder.fingerprint)
    before = find_record(folder)
    assert before is not None
    weights = folder / "text.weights"
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)
    assert find_record(folder) is None
    rows = load_encoder(str(plain.folder), device="cpu").encode_texts(TEXTS[:1]).rows
    assert cosines(rows, plain.text_rows(TEXTS[:1])).min() > 0.9999
    assert find_record(folder) == before  # converted again, to the same bytes


def test_a_model_that_cannot_be_converted_is_answered_by_torch_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_clip.make("plain", tmp_path / "model", seed=7)
    monkeypatch.setattr(convert, "LEAST_COSINE", 1.1)  # no cosine is so high
    encoder = load_encoder(str(model.folder), device="cpu")
    np.testing.assert_allclose(encoder.encode_texts(TEXTS).rows, model.text_rows(TEXTS), rtol=1e-5)
    record = find_record(towers_folder(encoder.fingerprint))
    assert record is not None
    assert record.refused == "its features differ from torch's features"
    monkeypatch.delattr(convert, "convert")
    again = load_encoder(str(model.folder), device="cpu")
    np.testing.assert_allclose(again.encode_texts(TEXTS).rows, model.text_rows(TEXTS), rtol=1e-5)


def test_a_folder_that_cannot_be_written_leaves_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_clip.make("plain", tmp_path / "model", seed=8)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(
        "rdmf_cli.encoders.open_clip.encoder.towers_folder", lambda _: tmp_path / "file" / "x"
    )
    encoder = load_encoder(str(model.folder), device="cpu")
    np.testing.assert_allclose(encoder.encode_texts(TEXTS).rows, model.text_rows(TEXTS), rtol=1e-5)


@pytest.mark.parametrize("package", convert.NEEDED)
def test_a_missing_package_is_named(
    plain: TinyClip, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, package: str
) -> None:
    monkeypatch.setattr(convert, "missing", lambda: [package])
    monkeypatch.setattr("rdmf_cli.encoders.open_clip.encoder.find_record", lambda _: None)
    with caplog.at_level("INFO", logger="rdmf"):
        encoder = load_encoder(str(plain.folder), device="cpu")
        assert len(encoder.encode_texts(["a dog"]).rows) == 1
    assert f"pip install {package}" in caplog.text


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema": "rdmf.towers/1"}', "{" * 99])
def test_a_spoilt_record_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / towers.RECORD).write_text(content)
    assert find_record(tmp_path) is None


@pytest.fixture(scope="module")
def tokens(plain: TinyClip) -> Towers:
    encoder = load_encoder(str(plain.folder), device="cpu")
    assert isinstance(encoder, OpenClipEncoder)
    encoder.encode_texts(["a dog"])
    assert isinstance(encoder._model, Towers)
    return encoder._model


@given(st.lists(st.text(ASSIGNED, max_size=60), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_text_has_the_tokens_of_open_clip(tokens: Towers, texts: list[str]) -> None:
    from open_clip import tokenize

    assume_assigned(*texts)
    np.testing.assert_array_equal(tokens.tokens(texts)[0], tokenize(texts).numpy())


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([towers.SHORTEST, towers.SQUASH]))
@settings(max_examples=60, deadline=None)
def test_pictures_are_prepared_as_open_clip_does(width: int, height: int, resize: str) -> None:
    from open_clip.transform import PreprocessCfg, image_transform_v2

    how = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4), "interpolation": "bicubic"}
    known = image_transform_v2(PreprocessCfg(size=32, resize_mode=resize, **how), is_train=False)
    record = Record(16, 77, 32, resize, start=0, end=1, files={}, **how)
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)
    picture = Image.fromarray(pixels)
    np.testing.assert_allclose(towers.prepared(picture, record), known(picture).numpy(), atol=1e-5)


def test_the_record_is_read_back(tmp_path: Path) -> None:
    record = Record(16, 77, 32, "squash", "bicubic", (0.5,), (0.2,), 1, 2, {}, "why")
    (tmp_path / towers.RECORD).write_bytes(towers.to_json(record))
    assert json.loads((tmp_path / towers.RECORD).read_text())["schema"] == towers.SCHEMA
    found = find_record(tmp_path)
    assert found is not None
    assert found.refused == "why"


@given(
    st.lists(st.sampled_from([*"ab1.,'!-", "the", "cat", "don't", "opens", "<", " "]), max_size=12)
)
@settings(max_examples=100, deadline=None)
def test_common_words_have_the_tokens_of_open_clip(tokens: Towers, parts: list[str]) -> None:
    from open_clip import tokenize

    for text in (" ".join(parts), "".join(parts)):
        np.testing.assert_array_equal(tokens.tokens([text])[0], tokenize([text]).numpy())


def test_a_sentence_of_common_words_needs_no_tokenizer(tokens: Towers) -> None:
    fresh = Towers(tokens._folder, tokens._record)
    fresh.tokens(["A man opens the door, and 2 dogs don't bark."])
    assert "_tokenizer" not in vars(fresh)
    fresh.tokens(["a zyzzyva"])
    assert "_tokenizer" in vars(fresh)


def test_a_text_has_the_same_features_alone_and_among_others(tokens: Towers) -> None:
    rows, words = tokens.text_features(TEXTS)
    for i, text in enumerate(TEXTS):
        (row,), (states,) = tokens.text_features([text])
        np.testing.assert_allclose(row, rows[i], atol=1e-5)
        np.testing.assert_allclose(states, words[i], atol=1e-5)


def test_a_short_sentence_is_read_without_padding(model: TinyClip) -> None:
    encoder = load_encoder(str(model.folder), device="cpu")
    encoder.encode_texts(["a dog"])
    record = encoder._model._record
    assert record.any_length == (model.kind != "coca")  # its class token sees all tokens


@pytest.fixture
def kept(tmp_path: Path) -> Towers:
    """A set of towers whose text tower was loaded once."""
    model = tiny_clip.make("plain", tmp_path / "model", seed=11)
    encoder = load_encoder(str(model.folder), device="cpu")
    encoder.encode_texts(["a dog"])
    made = encoder._model
    assert isinstance(made, Towers)
    made.text_features(["a dog"])
    return made


def rewritten(kept: Towers) -> list[Path]:
    return sorted(kept._folder.glob("text.*-*.onnx"))


def answered(kept: Towers) -> np.ndarray:
    return Towers(kept._folder, kept._record).text_features(TEXTS)[0]


def test_the_rewritten_text_tower_has_the_same_bits(kept: Towers) -> None:
    (path,) = rewritten(kept)
    before = path.stat().st_mtime_ns
    later = answered(kept)
    assert path.stat().st_mtime_ns == before  # loaded, not written again
    path.unlink()
    np.testing.assert_array_equal(answered(kept), later)
    assert rewritten(kept) == [path]


def test_a_changed_rewritten_tower_is_not_used(kept: Towers) -> None:
    expected = answered(kept)
    (path,) = rewritten(kept)
    whole = path.read_bytes()
    for spoilt in (whole[:-100], b"", whole.replace(b"MatMul", b"MatNul")):
        path.write_bytes(spoilt)
        np.testing.assert_array_equal(answered(kept), expected)
        assert [p.read_bytes() for p in rewritten(kept)] == [whole]


def test_another_version_of_the_runtime_rewrites_anew(
    kept: Towers, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answered(kept)
    (old,) = rewritten(kept)
    monkeypatch.setattr("onnxruntime.__version__", "99.0")
    np.testing.assert_array_equal(answered(kept), expected)
    (new,) = rewritten(kept)
    assert new.name != old.name


def test_a_rewritten_tower_that_cannot_be_loaded_or_kept_leaves_the_tower(
    kept: Towers, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = answered(kept)
    (path,) = rewritten(kept)
    alien = b"no graph"
    path.rename(path.with_name(f"{path.name.split('-')[0]}-{sha256(alien).hexdigest()[:16]}.onnx"))
    rewritten(kept)[0].write_bytes(alien)
    np.testing.assert_array_equal(answered(kept), expected)

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    rewritten(kept)[0].unlink()
    monkeypatch.setattr(Path, "replace", refuse)
    np.testing.assert_array_equal(answered(kept), expected)
    assert not list(kept._folder.glob(".*"))

"""The learned head as `rdmf query` uses it, with random weights."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_heads import FULL, WIDTH, asked, random_network, sample, unit, video

from rdmf_cli import resources
from rdmf_cli.channels.background import Background
from rdmf_cli.channels.memo import VideoMemo
from rdmf_cli.channels.question import FeatureSpace
from rdmf_cli.datasets import Sample
from rdmf_cli.errors import MissingExtra, RdmfError, UsageError
from rdmf_cli.heads import registry
from rdmf_cli.heads.learned.head import SHIPPED, LearnedHead
from rdmf_cli.heads.learned.torch import checkpoint
from rdmf_cli.heads.learned.torch.export import TorchGraphs, export
from rdmf_cli.heads.learned.torch.torch_head import TorchHead, TrainedHead
from rdmf_cli.heads.registry import load_head
from rdmf_cli.heads.training_free.head import TrainingFree
from rdmf_cli.moments import span_iou

SOME = settings(deadline=None, max_examples=25)
CLIP = 2.0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An exported head of each kind."""
    folder = tmp_path_factory.mktemp("heads")
    return {
        kind: export(random_network(**config), folder / f"{kind}.rdmf")
        for kind, config in {"universal": {}, "full": FULL}.items()
    }


@pytest.fixture(scope="module")
def universal(files: dict[str, Path]) -> LearnedHead:
    return LearnedHead.load(files["universal"])


@SOME
@given(st.integers(1, 60), st.integers(0, 9), st.floats(0.2, 1), st.integers(1, 12))
def test_every_reading_keeps_its_promises(universal, clips, seed, share, top_k):
    duration = max(clips * CLIP * share, CLIP / 2)
    rows, sentence = video(clips, seed)
    question = asked(rows, sentence, duration=duration)
    found = universal.read(question, top_k=top_k, distinct=True)
    assert 1 <= len(found.spans) <= top_k
    assert (found.spans >= 0).all()
    assert (found.spans <= duration).all()
    assert (np.diff(found.raw_scores) <= 0).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert found.saliency.shape == found.saliency_raw.shape == (clips,)
    assert ((found.saliency >= 0) & (found.saliency <= 1)).all()
    assert found.u.shape == found.v.shape == (4, clips)
    assert 0 <= found.presence <= 1


@pytest.mark.parametrize("kind", ["universal", "full"])
@pytest.mark.parametrize("clips", [1, 9, 75])
def test_it_answers_as_torch_does(files, kind, clips):
    network = random_network(**({} if kind == "universal" else FULL))
    one = sample(clips)
    by_onnx = LearnedHead.load(files[kind]).read(one)
    by_torch = TorchHead(network).read(one)
    for name in ("spans", "scores", "saliency", "presence", "v"):
        wanted = getattr(by_torch, name)
        np.testing.assert_allclose(getattr(by_onnx, name), wanted, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("kind", ["universal", "full"])
def test_a_trained_head_answers_many_questions_as_each_alone(kind):
    network = random_network(**({} if kind == "universal" else FULL))
    head, one_by_one = TrainedHead(network), LearnedHead(TorchGraphs(network))
    questions = [sample(clips, seed=clips) for clips in (30, 9, 300, 75, 30, 1)]
    for question, together in zip(questions, head.read_many(questions), strict=True):
        alone = one_by_one.read(question)
        assert len(together.saliency) == len(question)
        for name in ("spans", "raw_scores", "saliency", "presence", "v"):
            wanted = getattr(alone, name)
            np.testing.assert_allclose(getattr(together, name), wanted, atol=1e-3, err_msg=name)


def test_what_a_memo_keeps_of_a_video_does_not_change_an_answer(universal):
    one, other = sample(300, seed=1), sample(300, seed=2)
    universal.read(one)  # fills the memo of the video
    shared = replace(one, sentence=other.sentence)
    assert shared.memo is one.memo
    fresh = replace(shared, memo=VideoMemo())
    for name in ("spans", "scores", "saliency", "v"):
        wanted = getattr(universal.read(fresh), name)
        np.testing.assert_array_equal(getattr(universal.read(shared), name), wanted, err_msg=name)


def test_a_sample_and_its_rows_are_answered_alike(universal):
    one = sample(40)
    rows = one.video[:, one.matching]
    read = universal.read(asked(rows, one.sentence, duration=one.duration))
    answered = universal.read(one)
    np.testing.assert_array_equal(read.spans[0], answered.spans[0])
    np.testing.assert_array_equal(read.saliency, answered.saliency)


def test_a_person_gets_distinct_moments_and_a_benchmark_several_guesses():
    head, one = LearnedHead.load(), slowly_shown()
    read, answered = head.read(one, distinct=True), head.read(one)
    assert closest(read.spans) < 0.5 < 0.7 < closest(answered.spans) < 0.85
    np.testing.assert_array_equal(read.spans[0], answered.spans[0])
    np.testing.assert_array_equal(read.saliency, answered.saliency)


def slowly_shown(clips: int = 60) -> Sample:
    """A video in which the query appears and disappears slowly, so its start is not sharp."""
    rng = np.random.default_rng(0)
    shown = 0.1 + 0.5 * np.exp(-(((np.arange(clips) - 30) / 9) ** 2))
    sentence = unit(rng.normal(size=WIDTH))
    rows = unit(shown[:, None] * sentence + 0.3 * unit(rng.normal(size=(clips, WIDTH))))
    return replace(sample(clips), rows=rows, matching=slice(0, WIDTH), sentence=sentence)


def closest(spans: np.ndarray) -> float:
    """Return the highest IoU of two spans."""
    return span_iou(spans[:, None], spans)[~np.eye(len(spans), dtype=bool)].max()


def test_a_background_moves_presence_alone(universal):
    rows, sentence = video(30)
    known = Background.of(rows @ video(50, seed=1)[0].T)
    without = universal.read(asked(rows, sentence))
    beside = universal.read(asked(rows, sentence, background=known))
    np.testing.assert_array_equal(without.spans, beside.spans)
    assert without.presence != beside.presence


# ------------------------------------------------------------------------- which encoder
def space_of(encoder: str, size: int) -> FeatureSpace:
    """Return the space of an encoder whose clips and sentences have this width."""
    return FeatureSpace(encoder, size, None, size, (0, size))


def full_head(encoder: str | None) -> LearnedHead:
    one_stream = {"video_width": WIDTH, "matching": (0, WIDTH), "encoder": encoder}
    return LearnedHead(TorchGraphs(random_network(**{**FULL, **one_stream})))


def test_a_universal_head_reads_any_encoder(universal):
    universal.require(space_of("embedded", 384))
    assert universal.name == "learned-universal"


def test_a_full_head_reads_its_own(files):
    trained = full_head("ViT-B-32/openai")
    trained.require(space_of("ViT-B-32/openai", WIDTH))
    full_head(None).require(space_of("some/other", WIDTH))
    assert trained.name == "learned-full"
    rows, sentence = video(9)
    words = unit(np.random.default_rng(0).normal(size=(5, 12)))
    assert len(trained.read(asked(rows, sentence, words=words)).spans)


def test_another_encoder_is_an_error_that_names_both():
    said = r"trained on features of ViT-B-32/openai, not of embedded; give --encoder ViT-B"
    with pytest.raises(RdmfError, match=said):
        full_head("ViT-B-32/openai").require(space_of("embedded", 384))
    with pytest.raises(RdmfError, match=r"of 16 columns per clip, .*these have 384 columns"):
        full_head(None).require(space_of("embedded", 384))


# ---------------------------------------------------------------------------- which file
def spoiled(path: Path, to: Path, name: str, content: bytes | None) -> Path:
    """Copy a head with other content in one of its parts; None: without this part."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for entry in old.namelist():
            kept = old.read(entry) if entry != name else content
            if kept is not None:
                new.writestr(entry, kept)
    return to


def config_with(path: Path, **changes: object) -> bytes:
    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read("config.json"))
    config = {**told["config"], **changes.pop("config", {})}
    return json.dumps({**told, "config": config, **changes}).encode()


def test_what_is_no_head_is_said(files, tmp_path):
    path, other = files["universal"], tmp_path / "other.rdmf"
    cases = {
        "its schema is rdmf.head/9, not rdmf.head/1": config_with(path, schema="rdmf.head/9"),
        "width must be at least 1, not -1": config_with(path, config={"width": -1}),
        "trained with the channels weather, but this version has other channels": config_with(
            path, config={"channels": ["weather"]}
        ),
        "not a valid configuration of a head": b"[]",
    }
    for said, content in cases.items():
        with pytest.raises(RdmfError, match=said):
            LearnedHead.load(spoiled(path, other, "config.json", content))
    with pytest.raises(RdmfError, match=r"this archive is not a head: it holds no config\.json"):
        LearnedHead.load(spoiled(path, other, "config.json", None))
    for content in (None, b"no graph"):
        loaded = LearnedHead.load(spoiled(path, other, "fuse.onnx", content))
        with pytest.raises(RdmfError, match=r"other.rdmf: its graph fuse.onnx cannot be loaded"):
            loaded.read(asked(*video(5)))
    other.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(RdmfError, match=r"other.rdmf: this head is damaged"):
        LearnedHead.load(other)
    with pytest.raises(RdmfError, match=r"none.rdmf: the head cannot be read"):
        LearnedHead.load(tmp_path / "none.rdmf")


def test_a_checkpoint_says_itself_what_it_is(files, tmp_path):
    shutil.copy(resources.weights_folder() / "rates.json", tmp_path / "mine.json")
    assert isinstance(load_head(checkpoint=tmp_path / "mine.json"), TrainingFree)
    exported = load_head(checkpoint=files["full"])
    assert exported.name == "learned-full"
    for folder in (
        tmp_path / "run" / "model",
        tmp_path / "run",
    ):  # `rdmf train` writes the first folder
        checkpoint.save(tmp_path / "run" / "model", random_network())
        trained = load_head(checkpoint=folder)
        assert trained.name == "learned-universal"
    one = sample(20)
    want = load_head(checkpoint=files["universal"]).read(one, top_k=3)
    np.testing.assert_allclose(trained.read(one, top_k=3).spans, want.spans, atol=1e-3)


def test_a_folder_needs_torch(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install torch tensorboard"):
        load_head(checkpoint=tmp_path)


def test_what_cannot_be_asked_for_is_said(files):
    with pytest.raises(UsageError, match=r"--head and --checkpoint cannot be given together"):
        load_head("learned", files["universal"])
    with pytest.raises(UsageError, match=r"oracle: no such head; choose one of: auto, learned"):
        load_head("oracle")


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights of a release; a test may add files."""
    folder = tmp_path / "_weights"
    folder.mkdir()
    shutil.copy(resources.weights_folder() / "rates.json", folder)
    listed = {"rates.json": {"sha256": resources.sha256_of("rates.json")}}
    (folder / "manifest.json").write_text(json.dumps({"files": listed}))
    monkeypatch.setattr(resources, "PACKAGE", tmp_path)
    return folder


def ship(path: Path, folder: Path) -> None:
    shutil.copy(path, folder / SHIPPED)
    manifest = json.loads((folder / "manifest.json").read_text())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest["files"][SHIPPED] = {"sha256": sha256}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_learned_head_answers_where_it_ships(release, files):
    ship(files["universal"], release)
    assert load_head().name == load_head("learned").name == "learned-universal"
    assert load_head("training-free").name == "training-free"


def test_without_one_the_training_free_answers(release):
    assert load_head().name == "training-free"
    with pytest.raises(RdmfError, match=rf"manifest.json lists no {SHIPPED}"):
        load_head("learned")


def test_another_file_in_its_place_is_refused(release, files):
    ship(files["universal"], release)
    shutil.copy(files["full"], release / SHIPPED)
    with pytest.raises(RdmfError, match="is not the weights file that was shipped"):
        load_head()


def test_an_answer_imports_no_torch(files):
    code = f"""if True:
        import sys
        import numpy as np
        from pathlib import Path
        from rdmf_cli.channels.question import Question
        from rdmf_cli.heads.registry import load_head
        head = load_head(checkpoint=Path({str(files["universal"])!r}))
        rows = np.eye(9, dtype=np.float32)
        question = Question(
            rows=rows, sentence=rows[3], matching=slice(0, 9), words=rows[:0], clip_length=1.0
        )
        assert len(head.read(question).spans)
        assert not {{"torch", "onnx", "av"}} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

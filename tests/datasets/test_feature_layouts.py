"""Layouts of features: each is written by its own library, and read like the plain folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import h5py
import lmdb
import numpy as np
import pytest
import torch
import webdataset
from made_up_sets import write_own

from rdmf_cli import evaluate
from rdmf_cli.cli.app import app
from rdmf_cli.datasets import DATASETS, FeatureFolder, open_samples
from rdmf_cli.errors import RdmfError, UsageError


@pytest.fixture
def own(tmp_path):
    """Two videos with dots in their names, as QVHighlights has them."""
    folder = write_own(tmp_path / "own", 2, 0)
    for path in (folder / "video").iterdir():
        path.rename(path.with_name(f"{path.stem}_60.0_210.0.npz"))
    lines = (folder / "train.jsonl").read_text()
    for vid in ("train0", "train1"):
        lines = lines.replace(f'"{vid}"', f'"{vid}_60.0_210.0"')
    (folder / "train.jsonl").write_text(lines)
    return folder


def videos(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    for path in sorted((folder / "video").iterdir()):
        yield path.name.removesuffix(".npz"), np.load(path)["features"]


def texts(folder: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    for path in sorted((folder / "text").iterdir()):
        yield path.stem, dict(np.load(path))


def as_bytes(save, content) -> bytes:
    buffer = BytesIO()
    save(buffer, content) if not isinstance(content, dict) else save(buffer, **content)
    return buffer.getvalue()


def tensors(content):
    if isinstance(content, dict):
        return {key: torch.from_numpy(x) for key, x in content.items()}
    return torch.from_numpy(content)


def pt_a_video(folder: Path, made: Path) -> None:
    for name, rows in videos(folder):
        torch.save(tensors(rows)[None], made / "video" / f"{name}.pt")  # (1, L, D)
    for name, content in texts(folder):
        torch.save(tensors(content), made / "text" / f"{name}.pt")


def pt_for_all(folder: Path, made: Path) -> None:
    torch.save({name: tensors(rows) for name, rows in videos(folder)}, made / "video.pt")
    torch.save({name: tensors(content) for name, content in texts(folder)}, made / "text.pt")


def hdf5_for_all(folder: Path, made: Path) -> None:
    with h5py.File(made / "video.h5", "w") as file:
        for name, rows in videos(folder):
            file[name] = rows
    with h5py.File(made / "text.hdf5", "w") as file:
        for name, content in texts(folder):
            for key, array in content.items():
                file.create_dataset(f"{name}/{key}", data=array, compression="gzip")


def hdf5_in_groups(folder: Path, made: Path) -> None:
    """Write features as in 2D-TAN's ActivityNet: a group per video with c3d_features."""
    hdf5_for_all(folder, made)
    with h5py.File(made / "video.h5", "w") as file:
        for name, rows in videos(folder):
            file[f"{name}/c3d_features"] = rows


def hdf5_a_video(folder: Path, made: Path) -> None:
    for name, rows in videos(folder):
        with h5py.File(made / "video" / f"{name}.h5", "w") as file:
            file["features"] = rows
    shutil.copytree(folder / "text", made / "text", dirs_exist_ok=True)


def lmdb_for_all(folder: Path, made: Path) -> None:
    for kind, entries, save in (
        ("video.lmdb", videos(folder), np.save),
        ("text.lmdb", texts(folder), np.savez),
    ):
        with lmdb.open(str(made / kind), map_size=1 << 24) as opened, opened.begin(write=True) as t:
            for name, content in entries:
                t.put(name.encode(), as_bytes(save, content))


def webdataset_tar(folder: Path, made: Path) -> None:
    with webdataset.TarWriter(str(made / "video.tar")) as writer:
        for name, rows in videos(folder):
            writer.write({"__key__": name, "npy": as_bytes(np.save, rows)})
    with webdataset.TarWriter(str(made / "text.tar")) as writer:
        for name, content in texts(folder):
            writer.write({"__key__": name, "npz": as_bytes(np.savez, content)})


def webdataset_shards(folder: Path, made: Path) -> None:
    shutil.copytree(folder / "text", made / "text", dirs_exist_ok=True)
    with webdataset.ShardWriter(str(made / "video" / "%06d.tar"), maxcount=1, verbose=0) as writer:
        for name, rows in videos(folder):
            writer.write({"__key__": name, "features.npy": as_bytes(np.save, rows)})


LAYOUTS = [
    *(pt_a_video, pt_for_all, hdf5_for_all, hdf5_in_groups, hdf5_a_video),
    *(lmdb_for_all, webdataset_tar, webdataset_shards),
]


@pytest.mark.parametrize("write", LAYOUTS)
def test_a_layout_gives_the_samples_of_the_plain_folder(own, tmp_path, write):
    made = tmp_path / "made"
    for name in ("video", "text"):
        (made / name).mkdir(parents=True)
    write(own, made)
    for name in ("video", "text"):
        if not any((made / name).iterdir()):
            (made / name).rmdir()
    plain, read = (
        open_samples(DATASETS["qvhighlights"], own / "train.jsonl", features=folder)
        for folder in (own, made)
    )
    assert read.notes == []
    assert len(read) == len(plain) == 4
    for one, other in zip(plain, read, strict=True):
        assert np.array_equal(one.video, other.video)
        assert np.array_equal(one.sentence, other.sentence)
        assert np.array_equal(one.words, other.words)
        annotation = one.annotation
        assert len(plain.paraphrases(annotation)) == len(read.paraphrases(annotation)) == 2
    assert list(read.files())


def test_a_sentence_alone_and_words_alone_are_read(own):
    sentence = np.ones(16, np.float32)
    for path in (own / "text").iterdir():
        path.unlink()
    for qid in range(4):
        np.save(own / "text" / f"qid{qid}.npy", sentence)
    sample = open_samples(DATASETS["qvhighlights"], own / "train.jsonl", features=own)[0]
    assert sample.sentence is not None
    assert np.array_equal(sample.words, sample.sentence[None])
    for qid in range(4):
        np.save(own / "text" / f"qid{qid}.npy", np.ones((1, 5, 24), np.float32))
    sample = open_samples(DATASETS["qvhighlights"], own / "train.jsonl", features=own)[0]
    assert sample.sentence is None
    assert sample.words.shape == (5, 24)


class Trap:
    def __reduce__(self):
        return (print, ("this ran",))


def test_pickled_objects_are_never_loaded(own, capsys):
    vid = next(videos(own))[0]
    (own / "video" / f"{vid}.npz").unlink()
    torch.save({"features": Trap()}, own / "video" / f"{vid}.pt")
    samples = open_samples(DATASETS["qvhighlights"], own / "train.jsonl", features=own)
    with pytest.raises(RdmfError, match=r"cannot be loaded .*; save tensors"):
        samples.prepare()
    assert "this ran" not in capsys.readouterr().out


def test_links_of_hdf5_to_other_files_are_not_followed(own):
    vid, rows = next(videos(own))
    with h5py.File(own / "other.h5x", "w") as file:
        file["rows"] = rows
    shutil.rmtree(own / "video")
    with h5py.File(own / "video.h5", "w") as file:
        file[vid] = h5py.ExternalLink(str(own / "other.h5x"), "rows")
        file["train1_60.0_210.0"] = rows
    with pytest.raises(FileNotFoundError, match=r"video.h5: .*1 of the 2 videos"):
        open_samples(DATASETS["qvhighlights"], own / "train.jsonl", features=own)


@pytest.mark.parametrize("name", ["video.h5", "video.tar", "video.pt", "video.lmdb"])
def test_a_damaged_file_of_many_is_named(own, name):
    shutil.rmtree(own / "video")
    if name.endswith("lmdb"):
        (own / name).mkdir()
        (own / name / "data.mdb").write_bytes(b"no" * 5000)
    else:
        (own / name).write_bytes(b"no" * 5000)
    with pytest.raises(RdmfError, match=name):
        open_samples(DATASETS["qvhighlights"], own / "train.jsonl", features=own)


def test_streams_and_text_are_chosen_and_the_rest_is_named(own):
    """There are two streams and two texts; a note names those that are not read."""
    both = own.parent / "both"
    shutil.copytree(own / "video", both / "clip_features")
    shutil.copytree(own / "video", both / "slowfast_features")
    for name in ("clip_text_features", "glove_text_features"):
        shutil.copytree(own / "text", both / name)
    folder = FeatureFolder(both, streams=["slowfast_features"], text="glove_text_features")
    assert folder.notes[0].endswith(
        "not read: clip_features/, clip_text_features/ "
        "(features are read from glove_text_features/, slowfast_features/)"
    )
    (said,) = (
        evaluate(features=both, dataset=str(own / "train.jsonl"), head="training-free",
                 streams=["clip_features"]).notes[:1]
    )  # fmt: skip
    assert "not read: " in said
    with pytest.raises(UsageError, match=r"no 'clap'.* choose from: clip_features, clip_text"):
        FeatureFolder(both, streams=["clap"])


NAMED = {
    "InternVideo2 + LLaMA": (["internvideo2_features"], "llama_text_features"),
    "SlowFast + CLIP": (["clip_features", "slowfast_features"], "clip_text_features"),
    "PANNs": (["panns_features"], "clap_text_features"),
    "CLAP": (["clap_features"], "clap_text_features"),
    "ResNet + GloVe": (["resnet_features"], "glove_text_features"),
}


@pytest.mark.parametrize("name", NAMED)
def test_published_names_of_streams_and_texts_are_found(own, tmp_path, name):
    streams, text = NAMED[name]
    for stream in streams:
        shutil.copytree(own / "video", tmp_path / "named" / stream)
    shutil.copytree(own / "text", tmp_path / "named" / text)
    folder = FeatureFolder(tmp_path / "named")
    (plain,) = open_samples(DATASETS["qvhighlights"], own / "train.jsonl", features=own).part([0])
    assert folder.streams == streams
    assert folder.notes == []
    width = plain.video.shape[1]
    assert folder.video(plain.annotation.vid).rows.shape == (len(plain), len(streams) * width)
    assert (folder.text(plain.annotation).sentence == plain.sentence).all()


def test_the_command_takes_streams_and_text(own, capsys):
    shutil.copytree(own / "video", own / "video2")
    app(["eval", "--features", str(own), "--streams", "video2", "--text", "text", "--head",
         "training-free", "--dataset", str(own / "train.jsonl"), "--json"],
        standalone_mode=False)  # fmt: skip
    assert "not read: video/" in capsys.readouterr().err

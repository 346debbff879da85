"""A head is one file: graphs that take tensors from other files are refused before they load."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from random_heads import asked

from rdmf_cli.errors import RdmfError
from rdmf_cli.heads.learned.external_data import has_external_data
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.resources import weights_folder


def members() -> dict[str, bytes]:
    with zipfile.ZipFile(weights_folder() / "moments.rdmf") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_tensors_outside(graph: bytes, folder: Path) -> bytes:
    model = onnx.load_model_from_string(graph)
    onnx.save(
        model,
        folder / "graph.onnx",
        save_as_external_data=True,
        location="tensors.bin",
        size_threshold=0,
    )
    return (folder / "graph.onnx").read_bytes()


@pytest.mark.parametrize("part", ["fuse.onnx", "decode.onnx"])
def test_a_part_with_tensors_in_other_files_is_refused(tmp_path: Path, monkeypatch, part: str):
    files = members()
    files[part] = with_tensors_outside(files[part], tmp_path)
    path = tmp_path / "head.rdmf"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    monkeypatch.chdir(tmp_path)  # the tensors are in this folder
    rows = np.eye(16, dtype=np.float32)
    with pytest.raises(RdmfError, match=rf"{part} keeps tensors in other files") as caught:
        LearnedHead.load(path).read(asked(rows, rows[0]))
    assert caught.value.subject == str(path)


def test_shipped_graphs_are_whole():
    graphs = [content for name, content in members().items() if name.endswith(".onnx")]
    assert [has_external_data(graph) for graph in graphs] == [False, False]


@pytest.mark.parametrize("bad", [b"\xff" * 20, b"\x3a\x7f", b"\x3b", b"\x08"])
def test_bytes_that_are_no_model_are_said_to_be_none(bad: bytes):
    with pytest.raises(ValueError, match=r"a number|a field|unknown protobuf wire type"):
        has_external_data(bad)

"""Files that state, or unpack to, far more than they hold: refused by name, in little memory."""

from __future__ import annotations

import gzip
import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import peak_memory
import pytest
from random_heads import asked

from rdmf_cli.datasets import read_annotations
from rdmf_cli.errors import RdmfError
from rdmf_cli.evaluation import GroundTruth, evaluate_files, read_predictions
from rdmf_cli.features.files import load_text_features, load_video_features
from rdmf_cli.heads.learned.config import ModelConfig
from rdmf_cli.heads.learned.head import LearnedHead
from rdmf_cli.heads.learned.torch import checkpoint
from rdmf_cli.heads.training_free.rates import load_rates, shipped_rates

MIB = 1 << 20
PEAK = 1200 * MIB


def zeros_gzipped(mib: int) -> bytes:
    return gzip.compress(bytes(MIB)) * mib


def zipped(members: dict[str, bytes | int]) -> bytes:
    """Make an archive; a number stands for this many MiB of zeros."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            with archive.open(name, "w") as file:
                for part in [data] if isinstance(data, bytes) else [bytes(MIB)] * data:
                    file.write(part)
    return content.getvalue()


def npy_header(shape: object, kind: str = "<f2") -> bytes:
    text = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape!r}, }}".ljust(117)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n"


def lines(**changes: object) -> bytes:
    row = {"qid": 1, "query": "q", "vid": "v", "duration": 10, "relevant_windows": [[0, 1]]}
    return json.dumps({**row, **changes}).encode() + b"\n"


SMALL = lines()
MARKED = {"relevant_clip_ids": [0], "saliency_scores": [[4, 4, 4]]}
DEEP = b"[" * 200_000
LONG_NUMBER = b"9" * 4000

Read = Callable[[Path], object]

REFUSED: dict[str, tuple[str, bytes, Read, str]] = {
    "gzip": ("a.jsonl.gz", zeros_gzipped(2048), read_annotations, "larger than 128 MiB"),
    "gzipped predictions": ("p.jsonl", zeros_gzipped(1024), read_predictions, "larger than 128"),
    "gzipped JSON": ("a.json.gz", zeros_gzipped(1024), read_annotations, "larger than 32 MiB"),
    "a line": ("a.jsonl", b" " * 17 * MIB + SMALL, read_annotations, "line 1: longer than 16 MiB"),
    "lines": ("a.jsonl", SMALL * 250_001, read_annotations, "more than 250000 lines"),
    "nested lines": ("a.jsonl", DEEP + b"\n", read_annotations, "line 1: not JSON"),
    "nested JSON": ("a.json", b'{"v": ' + DEEP, read_annotations, "not JSON"),
    "a long number": ("a.jsonl", lines(duration=10**4000), read_annotations, "duration 99|1000"),
    "a longer one": ("a.json", b'{"v": 9' + LONG_NUMBER * 2, read_annotations, "not JSON"),
    "a long window": (
        "a.jsonl",
        lines(relevant_windows=[[0, 10**400]]),
        read_annotations,
        "relevant_windows holds a number that is too large",
    ),
    "long durations": (
        "a.jsonl",
        b"".join(lines(qid=k, duration=9_999_999, **MARKED) for k in range(9)),
        lambda path: evaluate_files(scores(path, 9), GroundTruth(path)),
        "clips together, more than 10000000",
    ),
    "text among numbers": (
        "p.jsonl",
        lines(pred_saliency_scores=["w" * MIB] + [""] * MIB),
        read_predictions,
        "pred_saliency_scores must be a list of numbers",
    ),
    "npz": ("v.npz", zipped({"features.npy": 320}), load_video_features, "335544320 bytes"),
    "npz of several": (
        "t.npz",
        zipped({"last_hidden_state.npy": 150, "pooler_output.npy": 150}),
        load_text_features,
        "cannot be read",
    ),
    "an npz header": (
        "v.npz",
        zipped({"features.npy": npy_header((2**40, 2**40)) + bytes(64)}),
        load_video_features,
        "its header states .* of shape .*, but 64 bytes follow",
    ),
    "an npy header": ("v.npy", npy_header((10**12, 4)), load_video_features, "but 0 bytes follow"),
    "a negative shape": ("v.npy", npy_header((-1, 4)), load_video_features, "its header states"),
    "an endless row": (
        "v.npy",
        npy_header((1,), "V2000000000"),
        load_video_features,
        "not numbers",
    ),
    "a header that is none": (
        "v.npy",
        npy_header(DEEP[:90]),
        load_video_features,
        "damaged header",
    ),
    "a directory": (
        "v.npz",
        zipped({f"{number:0200}": b"" for number in range(6000)}),
        load_video_features,
        "too many members",
    ),
    "a graph": (
        "h.rdmf",
        zipped({"config.json": b"{}", "fuse.onnx": 80}),
        LearnedHead.load,
        "fuse.onnx holds 83886080 bytes",
    ),
    "a foreign member": (
        "h.rdmf",
        zipped({"config.json": b"{}", "../outside.txt": b"x"}),
        LearnedHead.load,
        "holds ../outside.txt, which does not belong to a head",
    ),
    "torch's weights": (
        "best.pt",
        zipped({"best/data.pkl": b"", "best/version": b"3"}),
        LearnedHead.load,
        "this file holds torch weights alone, .* give a file of rates, an exported head",
    ),
    "rates": ("r.json", b" " * 2 * MIB, load_rates, "larger than 1 MiB"),
    "nested rates": ("r.json", DEEP, load_rates, "not a valid file"),
    "endless rates": ("r.json", b"", lambda path: load_rates(steps(path, 10**9)), "fusion.steps"),
}


def scores(truth: Path, queries: int) -> Path:
    guess = {"pred_relevant_windows": [[0, 1, 1]], "pred_saliency_scores": [1]}
    path = truth.with_name("scores.jsonl")
    path.write_text("".join(json.dumps({"qid": k, **guess}) + "\n" for k in range(queries)))
    return path


def steps(path: Path, number: int) -> Path:
    told = json.loads(shipped_rates().read_bytes())
    told["fusion"]["steps"] = number
    path.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_by_name(tmp_path: Path, name: str):
    file, content, read, said = REFUSED[name]
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(RdmfError, match=said) as caught:
        read(path)
    assert caught.value.subject == str(path)
    assert len(str(caught.value)) < 1000


def test_all_of_them_together_take_little_memory(tmp_path: Path):
    """This runs in a new process, so its peak memory belongs to these files alone."""
    for name, (file, content, _, _) in REFUSED.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(content)
    folders = [str(Path(file).parent) for file in (__file__, peak_memory.__file__)]
    code = (
        "import sys\n"
        f"sys.path[:0] = {folders!r}\n"
        "import test_sizes_not_believed as sizes\n"
        "from pathlib import Path\n"
        "sizes.read_all(Path(sys.argv[1]))\n"
        f"print({peak_memory.CODE})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < PEAK


def read_all(folder: Path) -> None:
    for name, (file, _, read, _) in REFUSED.items():
        with pytest.raises(RdmfError):
            read(folder / name / file)


# --------------------------------------------------------------------- trained heads


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    pytest.importorskip("torch")
    from rdmf_cli.heads.learned.torch.network import Network

    return checkpoint.save(tmp_path / "model", Network(ModelConfig()))


@pytest.mark.parametrize(
    "change",
    [
        {"width": 8192, "fusion_channels": 8192, "blocks": 64},
        {"width": 8192},
        {"width": 10**9},
        {"fusion_channels": 8192},
        {"blocks": 64},
        {"blocks": 10**9},
        {"slot_width": 8192, "decoder_layers": 64},
        {"levels": 10**9},
        {"clip_length": float("inf")},
    ],
)
def test_a_configuration_larger_than_its_weights_is_refused(trained: Path, change: dict):
    path = trained / "config.json"
    told = json.loads(path.read_text())
    told["config"] |= change
    path.write_text(json.dumps(told))
    before = peak_memory.peak_memory()
    with pytest.raises(RdmfError) as caught:
        checkpoint.load(trained)
    assert Path(str(caught.value.subject)).parent == trained
    assert peak_memory.peak_memory() - before < 200 * MIB


def test_swapped_graphs_are_a_fault_of_the_file(tmp_path: Path):
    from rdmf_cli.resources import weights_folder

    with zipfile.ZipFile(weights_folder() / "moments.rdmf") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["fuse.onnx"], files["decode.onnx"] = files["decode.onnx"], files["fuse.onnx"]
    path = tmp_path / "swapped.rdmf"
    path.write_bytes(zipped(files))
    rows = np.eye(16, dtype=np.float32)
    head = LearnedHead.load(path)
    with pytest.raises(
        RdmfError, match=r"graph fuse\.onnx does not fit its config\.json"
    ) as caught:
        head.read(asked(rows, rows[0]))
    assert caught.value.subject == str(path)

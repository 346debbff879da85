"""On a full disk, every writer of rdmf reports an error and leaves the old file in place."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rdmf_cli

if sys.platform == "win32":
    pytest.skip("files have no limit there", allow_module_level=True)

import writers

pytestmark = pytest.mark.needs("torch")


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    folder = tmp_path_factory.mktemp("full")
    script = [sys.executable, "-W", "ignore", writers.__file__, str(folder)]
    return json.loads(subprocess.run(script, capture_output=True, check=True).stdout)


@pytest.mark.parametrize("name", writers.WRITERS)
def test_the_old_file_stays_and_nothing_lies_beside_it(happened, name: str):
    found = happened[name]
    assert found["before"]
    kept = {file: found["after"].get(file) for file in found["before"]}
    assert kept == found["before"]
    assert name in writers.STREAMS or found["after"] == kept
    assert found["said"].startswith("RdmfError: ")
    assert re.search(r"cannot be written \((File too large|disk I/O error)\)", found["said"])


WRITES = re.compile(
    r"\.write_text\(|\.write_bytes\(|savefig\(|savez\w*\(|np\.save\(|torch\.save\(|os\.replace\("
    r"|\.replace\(\w*(target|file|path)\b|open\([^)]*[\"'][wax]b?\+?[\"']|sqlite3\.connect\(|SummaryWriter\("
)
WITH_A_REASON = {
    "files.py": "the one function that writes",
    "download.py": "goes on with a part that an earlier run left, and checks it when it is whole",
    "ffmpeg.py": "a temporary folder of its own",
    "stdin_video.py": "a temporary folder of its own; it leaves a gigabyte of the disk free",
    "decord_child.py": "answers on a pipe",
}
LINES_WITH_A_REASON = {
    "np.savez(file": "writes to what write_whole opened",
    'av.open(file, "w"': "writes to what write_whole opened",
    "Path(folder, HUB_CONFIG).write_text": "a temporary folder of its own",
    "figure.savefig(file": "writes to what write_whole opened",
    "figure.savefig(buffer": "writes to memory",
    "lambda file: np.save(file": "writes to what `put`, write_own in the folder of codes, opened",
    "torch.save(content, buffer)": "writes to memory",
    'self._file = path.open("a"': "appends to the log of its own training",
    "SummaryWriter(": "a stream in the folder of its own training",
    "sqlite3.connect(path": "SQLite's transactions are whole or not at all",
    "made.replace(target": "ONNX Runtime wrote the file, under another name; a failure is no error",
    "os.replace(path, aside": "moves a training of its own aside",
}


def test_no_other_code_writes_files():
    """New writers use write_whole or write_own, and are added to `writers.WRITERS`.

    docs/security.md explains the exceptions.
    """
    found = []
    for path in Path(rdmf_cli.__file__).parent.rglob("*.py"):
        if path.name in WITH_A_REASON:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if WRITES.search(line) and not any(text in line for text in LINES_WITH_A_REASON):
                found.append(f"{path.name}:{number}: {line.strip()}")
    assert found == []

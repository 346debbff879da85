"""rdmf cut on a full disk and after Ctrl-C: no incomplete file has the final name."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_shell import command, environment, hear_ctrl_c, write_video
from sample_answers import sample_answer, sample_moment

from rdmf_cli.outputs.json_lines import json_line

if sys.platform == "win32":
    pytest.skip(
        "files have no limit there, and Ctrl-C reaches a whole console", allow_module_level=True
    )

import resource

FITS = 4000  # bytes; less than the cut of a film has


def told(video: Path, *spans: tuple[float, float]) -> str:
    moments = [
        sample_moment(rank, 20).model_copy(update={"start": start, "end": end})
        for rank, (start, end) in enumerate(spans, 1)
    ]
    return json_line(sample_answer(3, video=str(video), presence=0.9, moments=moments)) + "\n"


def cut(stdin: str, folder: Path, *more: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("cut", "-", *more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=folder,
        **options,
    )


@pytest.mark.parametrize("more", [(), ("--copy",), ("--montage", "all.mp4")])
def test_a_full_disk_is_said_and_leaves_nothing(video, tmp_path, more):
    folder = tmp_path / "clips"
    folder.mkdir()
    limit = (FITS, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    full = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)}
    stdin = told(video, (0.0, 6.0))
    process = cut(stdin, folder, *more, **full)
    out, said = process.communicate(stdin, timeout=60)
    assert process.returncode == 1, said
    assert "cannot be written (File too large)" in said
    assert out == ""
    assert list(folder.iterdir()) == []


def test_ctrl_c_leaves_what_is_whole_and_nothing_else(tmp_path):
    folder, film = tmp_path / "clips", write_video(tmp_path / "long.mp4", seconds=120, rate=25)
    folder.mkdir()
    stdin = told(film, (0.0, 0.4), (0.0, 120.0))
    process = cut(stdin, folder, preexec_fn=hear_ctrl_c)
    process.stdin.write(stdin)
    process.stdin.close()
    deadline = time.monotonic() + 60
    while not _begun(folder):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert process.returncode == 130
    assert "interrupted" in process.stderr.read()
    assert [path.name for path in folder.iterdir()] == ["long_1.mp4"]
    probe = subprocess.run(
        command("query", folder / "long_1.mp4", "a square", "--json"),
        capture_output=True,
        env=environment(),
    )
    assert json.loads(probe.stdout)["duration"] == pytest.approx(0.4)


def _begun(folder: Path) -> bool:
    """Return whether the first cut is complete and the second cut is being written."""
    names = [path.name for path in folder.iterdir()]
    return "long_1.mp4" in names and len(names) == 2

"""Several videos in one command: if one video fails, the other videos are answered."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import av
import pytest

from rdmf_cli.video.decoders import pyav

QUERY = ("-q", "a red square")


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def ffmpeg_error() -> Exception:
    """An error of FFmpeg that is also an OSError: rdmf once reported it as a failed write."""
    error = av.error.FFmpegError(errno.EOPNOTSUPP, "Operation not supported")
    return type("UndefinedError", (av.error.FFmpegError, OSError), {})(*error.args)


# The name of a file, its failure, the message, and whether the message reports a bug of rdmf.
FAILURES = {
    "b_index": (IndexError("list index out of range"), "IndexError", True),
    "c_value": (ValueError("31 is not a valid Type"), "31 is not a valid Type", True),
    "d_recursion": (RecursionError("maximum recursion depth exceeded"), "RecursionError", True),
    "e_memory": (MemoryError(), "not enough memory", False),
    "f_disk": (OSError(errno.EIO, "Input/output error"), "read or written (Input/output", False),
    "g_ffmpeg": (ffmpeg_error(), "cannot be decoded (Operation not supported)", False),
}


@pytest.fixture
def odd_videos(video: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that fail, beside square.mp4.

    Which files make a decoder fail depends on its release, so the failures are simulated.
    """
    scan = pyav.scan

    def failing(path: Path) -> object:
        if path.stem in FAILURES:
            raise FAILURES[path.stem][0]
        return scan(path)

    monkeypatch.setattr(pyav, "scan", failing)
    paths = [video.parent / f"{name}.mp4" for name in FAILURES]
    for path in paths:  # each has different bytes: a copy would be answered from the cache
        path.write_bytes(video.read_bytes() + path.name.encode())
    return paths


@pytest.mark.parametrize("command", [("query", *QUERY), ("extract",)], ids=["query", "extract"])
def test_an_exception_of_one_video_leaves_the_others(run, video, odd_videos, command):
    shutil.copy(video, video.parent / "a_first.mp4")
    ended = run(command[0], video.parent, *command[1:], "--json")
    assert ended.returncode == 3
    first, *failed, last = rows(ended.stdout)  # by name: a_first, b to g, square
    answered = {"query": "rdmf.answer/1", "extract": "rdmf.extract/1"}[command[0]]
    assert (first["schema"], last["schema"]) == (answered, answered)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
    for path, row, line in zip(odd_videos, failed, lines, strict=True):
        _, said, ours = FAILURES[path.stem]
        assert row["schema"] == "rdmf.error/1"
        assert row["error"]["subject"] == str(path)
        assert said in row["error"]["what"]
        assert ("bug in rdmf" in row["error"]["todo"]) == ours
        assert line.startswith(f"error: {path}")
        assert row["error"]["what"] in line


@pytest.mark.parametrize("name", ["b_index", "g_ffmpeg"])
def test_the_only_video_fails(run, odd_videos, name):
    _, said, ours = FAILURES[name]
    odd = next(path for path in odd_videos if path.stem == name)
    for command in (("query", odd, *QUERY), ("extract", odd), ("fuse", odd, "a red square")):
        ended = run(*command)
        assert ended.returncode == 1
        assert ended.stdout == ""
        line = ended.stderr.strip().splitlines()[-1]
        assert line.startswith(f"error: {odd}")
        assert said in line
        assert ("bug in rdmf" in line) == ours


def test_folders_inside_a_folder(run, video):
    (video.parent / "inside").mkdir()
    inner = Path(shutil.copy(video, video.parent / "inside"))
    above = run("extract", video.parent, "--json")
    assert [row["video"] for row in rows(above.stdout)] == [str(video)]
    assert "1 folder inside (--recursive searches there)" in above.stderr
    for flag in ("-r", "--recursive"):
        both = run("query", video.parent, *QUERY, "--json", flag)
        assert [row["video"] for row in rows(both.stdout)] == [str(inner), str(video)]
        assert both.stderr.count("note:") == (1 if "encoder" in both.stderr else 0)

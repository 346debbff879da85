"""Faults while a library is indexed: it stays whole, and the next run completes it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "features"))
from child_indexing import index
from mean_colours import write_frames

from rdmf_cli.errors import RdmfError
from rdmf_cli.library.library import Library

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("child_indexing.py")


@pytest.fixture(scope="module")
def made_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(4):
        write_frames(folder / f"{number}.mp4", (0.1 * t for t in range(40 + 30 * number)))
    return folder


@pytest.fixture
def videos(made_videos: Path, tmp_path: Path) -> Path:
    """Copies that a test may change."""
    return Path(shutil.copytree(made_videos, tmp_path / "videos"))


def started(place: Path, videos: Path, most_bytes: int | None = None) -> subprocess.Popen[str]:
    """Start indexing in a new process, in which no file may grow beyond `most_bytes`."""

    def limit() -> None:
        if most_bytes is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(CHILD), str(place), str(videos)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=limit if most_bytes is not None else None,
    )


def rows(place: Path) -> dict[str, np.ndarray]:
    """Return the features of each video, by name."""
    with Library.open(place) as library:
        found = library.collection()
        every = {found.path(n): found.features(n).rows for n in range(len(found.clips))}
    return {Path(path).name: own for path, own in every.items() if os.path.exists(path)}


def check_whole(place: Path, videos: Path, whole: Path) -> None:
    """Check that the library opens, and that after one more run it equals a faultless one."""
    rows(place)
    assert index(place, videos).failed == []
    index(whole, videos)
    found, expected = rows(place), rows(whole)
    assert set(found) == set(expected) == {path.name for path in videos.iterdir()}
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit there")
@pytest.mark.parametrize("most_bytes", [500, 2_500, 24_000, 29_000])
def test_on_a_full_disk_nothing_is_lost(videos, tmp_path, most_bytes) -> None:
    """With 500 bytes, no features fit; with 24,000 bytes, the catalogue cannot grow any more."""
    place, known = tmp_path / "library", tmp_path / "known"
    known.mkdir()
    (videos / "0.mp4").rename(known / "0.mp4")
    index(place, known)
    before = rows(place)
    child = started(place, videos, most_bytes)
    said = child.communicate(timeout=60)[1]
    after = rows(place)
    assert all(np.array_equal(after[name], before[name]) for name in before)
    if child.returncode:
        assert "RdmfError" in said.splitlines()[-1]
        assert "cannot be written" in said.splitlines()[-1]
    (known / "0.mp4").rename(videos / "0.mp4")
    check_whole(place, videos, tmp_path / "whole")


@pytest.mark.parametrize("wait", [1, 3])
def test_files_may_be_replaced_removed_and_renamed_meanwhile(videos, tmp_path, wait) -> None:
    place = tmp_path / "library"
    child = started(place, videos)
    assert child.stdout is not None
    while wait > sum(1 for _ in place.glob("features/*")) and child.poll() is None:
        time.sleep(0.005)  # until some features are there
    write_frames(tmp_path / "new.mp4", (0.2 * t for t in range(50)))
    os.replace(tmp_path / "new.mp4", videos / "1.mp4")
    (videos / "2.mp4").unlink()
    (videos / "3.mp4").rename(videos / "renamed.mp4")
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 0, said
    check_whole(place, videos, tmp_path / "whole")


def test_a_full_disk_is_said_for_each_video(videos, tmp_path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RdmfError("the file cannot be written (No space left on device)")

    monkeypatch.setattr("rdmf_cli.features.store.FeatureStore.put", full)
    done = index(tmp_path / "library", videos)
    assert done.indexed == []
    assert len(done.failed) == 4
    assert all("cannot be written (No space left on device)" in e.what for e in done.failed)
    monkeypatch.undo()
    check_whole(tmp_path / "library", videos, tmp_path / "whole")

"""rdmf index --ray on a real cluster: the same library as one process makes, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from cli_shell import command, environment, hear_ctrl_c, run_in_shell

sys.path.insert(0, str(Path(__file__).parents[1] / "features"))
from mean_colours import write_frames

from rdmf_cli.errors import RdmfError
from rdmf_cli.features import FeatureStore, Selection, extract
from rdmf_cli.features.extraction import feature_key
from rdmf_cli.library.catalogue import State
from rdmf_cli.library.cluster import ClusterExtract, connected
from rdmf_cli.library.library import Library

LONG = 400  # clips

assert ray.__version__  # `pytest --cluster` runs this file, because it imports Ray


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes a worker some seconds: each clip of 0.1 s has its own frame."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return write_frames(path, (0.1 * frame for frame in range(LONG)))


@pytest.fixture
def videos(tmp_path: Path, tour: Path, long_video: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "inner").mkdir(parents=True)
    shutil.copy(tour, folder / "tour.mp4")
    shutil.copy(tour, folder / "inner" / "copy.mp4")
    shutil.copy(long_video, folder / "long.mp4")
    return folder


def contents(place: Path) -> list[Any]:
    """Return everything that the catalogue and the store of a library hold."""
    with Library.open(place) as library:
        videos = library.videos()
        entries = [library.store.load(video.key) for video in videos if video.key]
        for entry in entries:
            assert entry is not None
            del entry[1]["video"]  # of two copies, either may be extracted first
        names = sorted(path.name for path in place.glob("features/*.safetensors"))
        return [library.settings(), videos, library.catalogue.roots(), entries, names]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(np.array_equal(one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def started(*args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*args),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=hear_ctrl_c,
    )


def workers() -> Iterator[int]:
    """Return the processes of Ray on this machine that extract a video now."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith((b"ray::read_video", b"ray::read_section")):
            yield int(folder.name)


def wait_for_worker(child: subprocess.Popen[str], seconds: float) -> int:
    """Wait until a worker has worked for some time; return its process."""
    while child.poll() is None:
        if found := list(workers()):
            time.sleep(seconds)
            if found[0] in workers():
                return found[0]
        time.sleep(0.02)
    raise AssertionError(child.communicate()[1])


def test_the_library_is_that_of_one_process_with_a_failed_video(
    cluster_address: str, videos: Path, tmp_path: Path
) -> None:
    (videos / "no video.mp4").write_bytes(b"no video")
    options = ("index", videos, "--encoder", "embedded", "--library")
    one = run_in_shell(*options, tmp_path / "one")
    many = run_in_shell(*options, tmp_path / "many", "--ray", cluster_address)
    assert many.stderr == one.stderr
    assert (one.returncode, many.returncode) == (3, 3)
    assert many.stdout.replace("many", "one") == one.stdout
    assert same(contents(tmp_path / "many"), contents(tmp_path / "one"))
    again = run_in_shell("index", "--library", tmp_path / "many", "--ray", cluster_address)
    assert "new or changed: 0, as before: 3" in again.stdout


def test_a_long_video_in_sections_has_the_same_rows(
    cluster_address: str, long_video: Path, tmp_path: Path
) -> None:
    from rdmf_cli.encoders import load_encoder

    encoder, clips = load_encoder("embedded"), Selection(0.1)
    one, many = (FeatureStore(tmp_path / name, limit=1 << 30) for name in ("one", "many"))
    extract(long_video, encoder, clips, store=one)
    key = feature_key(long_video, encoder, clips)
    told = []
    with connected(cluster_address) as cluster:
        work = ClusterExtract(cluster, many, "embedded", lambda path: key, clips, 10.0)
        work(long_video, progress=lambda clips, of: told.append((clips, of)))
    assert same(many.load(key), one.load(key))
    assert told[-1] == (LONG, LONG)
    assert len({clips for clips, _ in told}) > 2


def test_a_worker_killed_in_mid_video_costs_only_time(
    cluster_address: str, videos: Path, tmp_path: Path
) -> None:
    options = ("index", videos / "long.mp4", "--encoder", "embedded", "--clip-length", 0.1)
    options = (*options, "--library")
    assert run_in_shell(*options, tmp_path / "one").returncode == 0
    child = started(*options, tmp_path / "many", "--ray", cluster_address)
    os.kill(wait_for_worker(child, seconds=0.5), signal.SIGKILL)
    _, said = child.communicate(timeout=120)
    assert (child.returncode, said) == (0, "")
    assert same(contents(tmp_path / "many"), contents(tmp_path / "one"))


def test_ctrl_c_cancels_the_tasks_and_leaves_the_library_whole(
    cluster_address: str, videos: Path, tmp_path: Path
) -> None:
    options = ("index", videos, "--clip-length", 0.1, "--library", tmp_path / "many")
    child = started(*options, "--ray", cluster_address)
    wait_for_worker(child, seconds=0.2)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in said
    for _ in range(200):
        if not list(workers()):
            break
        time.sleep(0.05)
    assert not list(workers())
    with Library.open(tmp_path / "many") as library:
        assert {video.state for video in library.videos()} <= {State.indexed}
    assert run_in_shell(*options).returncode == 0
    with Library.open(tmp_path / "many") as library:
        assert [video.state for video in library.videos()] == [State.indexed] * 3


def test_a_worker_that_sees_another_file_is_an_error_that_names_it(
    cluster_address: str, videos: Path, tmp_path: Path
) -> None:
    from rdmf_cli.encoders import load_encoder

    video, store = videos / "tour.mp4", FeatureStore(tmp_path / "store", limit=1 << 30)
    clips = Selection(2.0)
    key = feature_key(video, load_encoder("embedded"), clips)
    wrong = {
        "has other content": {"content": "0" * 64},
        "has other weights": {"encoder_fingerprint": "0" * 64},
        "is another release": {"frame_rule": "another"},
    }
    with connected(cluster_address) as cluster:
        for what, change in wrong.items():
            other = {**key, **change}
            work = ClusterExtract(cluster, store, "embedded", lambda path, o=other: o, clips)
            with pytest.raises(RdmfError, match=f"on the worker .* {what}"):
                work(video)
        work = ClusterExtract(cluster, store, "embedded", lambda path: key, clips)
        with pytest.raises(RdmfError, match=r"on the worker .*readable at this path on every node"):
            work(tmp_path / "not here.mp4")
    assert store.entries() == []

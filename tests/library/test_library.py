"""A library is filled, refreshed, interrupted and searched."""

from __future__ import annotations

import os
import random
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

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.features import FeatureStore
from rdmf_cli.library.catalogue import State
from rdmf_cli.library.coded import CodedIndex
from rdmf_cli.library.index import ExactIndex
from rdmf_cli.library.library import Library, library_folder

KILLS = 6


@pytest.fixture(scope="module")
def three_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(3):
        write_frames(folder / f"{number}.mp4", (0.1 * t for t in range(60 + 40 * number)))
    return folder


@pytest.fixture
def videos(three_videos: Path, tmp_path: Path) -> Path:
    """Copies that a test may change."""
    return Path(shutil.copytree(three_videos, tmp_path / "videos"))


def states(folder: Path, now: bool = False) -> dict[str, str]:
    with Library.open(folder) as library:
        listed = library.checked_videos() if now else library.videos()
        return {Path(video.path).name: video.state.value for video in listed}


def rows(folder: Path) -> dict[str, np.ndarray]:
    """Return the features of each video, by name; copies have the name of the first."""
    with Library.open(folder) as library:
        found = library.collection()
        return {Path(found.path(n)).name: found.features(n).rows for n in range(len(found.clips))}


def test_videos_are_indexed_once_and_changed_ones_again(videos: Path, tmp_path: Path) -> None:
    place = tmp_path / "library"
    assert len(index(place, videos).indexed) == 3
    again = index(place, videos)
    assert (len(again.indexed), len(again.unchanged)) == (0, 3)
    write_frames(videos / "1.mp4", (0.1 * t for t in range(30)))
    assert states(place, now=True) == {"0.mp4": "indexed", "1.mp4": "stale", "2.mp4": "indexed"}
    assert index(place, videos).indexed == [str(videos / "1.mp4")]
    assert states(place, now=True) == dict.fromkeys(("0.mp4", "1.mp4", "2.mp4"), "indexed")
    assert len(rows(place)["1.mp4"]) == 6


def test_a_moved_video_is_known_and_a_lost_one_is_missing(videos: Path, tmp_path: Path) -> None:
    place = tmp_path / "library"
    index(place, videos)
    before = sorted((place / "features").iterdir())
    (videos / "0.mp4").rename(videos / "moved.mp4")
    (videos / "1.mp4").unlink()
    done = index(place, videos)
    assert done.indexed == [str(videos / "moved.mp4")]
    assert done.missing == [str(videos / "1.mp4")]
    assert sorted((place / "features").iterdir()) == before  # nothing was extracted
    assert states(place) == {"moved.mp4": "indexed", "1.mp4": "missing", "2.mp4": "indexed"}
    assert set(rows(place)) == {"moved.mp4", "1.mp4", "2.mp4"}  # a missing video is still found
    with Library.open(place) as library:
        assert library.prune() == (1, 1)
    assert states(place) == {"moved.mp4": "indexed", "2.mp4": "indexed"}


def test_a_missing_folder_keeps_its_videos(videos: Path, tmp_path: Path) -> None:
    """The folder is on a drive that is not mounted now."""
    place = tmp_path / "library"
    index(place, videos)
    videos.rename(tmp_path / "elsewhere")
    done = index(place, videos)
    assert [error.subject for error in done.failed] == [str(videos)]
    assert set(states(place).values()) == {"missing"}
    (tmp_path / "elsewhere").rename(videos)
    assert index(place, videos).failed == []
    assert set(states(place).values()) == {"indexed"}


def test_what_fails_is_kept_with_its_reason_and_tried_again(videos: Path, tmp_path: Path) -> None:
    place = tmp_path / "library"
    good = (videos / "1.mp4").read_bytes()
    (videos / "1.mp4").write_bytes(b"no video")
    done = index(place, videos)
    assert [error.subject for error in done.failed] == [str(videos / "1.mp4")]
    assert states(place) == {"0.mp4": "indexed", "1.mp4": "failed", "2.mp4": "indexed"}
    with Library.open(place) as library:
        failed = library.catalogue.find(str(videos / "1.mp4"))
        assert failed is not None
        assert failed.reason == done.failed[0].what
    (videos / "1.mp4").write_bytes(good)
    assert index(place, videos).indexed == [str(videos / "1.mp4")]


def test_copies_are_one_video_to_a_search(videos: Path, tmp_path: Path) -> None:
    shutil.copy(videos / "0.mp4", videos / "copy.mp4")
    place = tmp_path / "library"
    index(place, videos)
    assert len(states(place)) == 4
    assert len(rows(place)) == 3


@pytest.mark.parametrize("damage", [b"", b"garbage"])
def test_damaged_features_are_made_again(videos: Path, tmp_path: Path, damage: bytes) -> None:
    place = tmp_path / "library"
    index(place, videos)
    before = rows(place)
    entry = max((place / "features").glob("*.safetensors"))
    entry.unlink()
    if damage:
        entry.write_bytes(damage)
        with pytest.raises(RdmfError, match="damaged"):
            rows(place)
    assert len(index(place, videos).indexed) == 1
    after = rows(place)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_killed_at_any_time_it_is_whole_and_goes_on(videos: Path, tmp_path: Path) -> None:
    whole, place = tmp_path / "whole", tmp_path / "library"
    index(whole, videos)
    expected = rows(whole)
    draw = random.Random(0)
    command = [sys.executable, str(Path(__file__).with_name("child_indexing.py")), place, videos]
    for _ in range(KILLS):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env=paths_for_a_child())
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(draw.uniform(0, 0.5))
        child.kill()
        child.communicate()
        with Library.open(place) as library:
            assert {video.state for video in library.videos()} <= {State.indexed}
        assert all(np.array_equal(found, expected[name]) for name, found in rows(place).items())
    assert index(place, videos).failed == []
    found = rows(place)
    assert set(found) == set(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert len(FeatureStore(place / "features").entries()) == 3


def test_a_second_writer_waits_and_says_so(videos: Path, tmp_path: Path) -> None:
    place = tmp_path / "library"
    command = [sys.executable, str(Path(__file__).with_name("child_indexing.py")), place, videos]
    with Library.make(place) as library, library.writing():
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=paths_for_a_child()
        )
        assert child.stdout is not None
        assert "another process changes this library; waiting" in child.stdout.readline()
        assert library.videos() == []
    child.communicate(timeout=60)
    assert child.returncode == 0
    assert set(states(place).values()) == {"indexed"}


def paths_for_a_child() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}


def test_the_index_of_clips_is_made_once_and_follows_the_videos(
    videos: Path, tmp_path: Path
) -> None:
    place = tmp_path / "library"
    index(place, videos)
    query = np.ones(12, np.float32) / np.sqrt(12)

    def nearest() -> tuple[list[str], list[int], list[float]]:
        with Library.open(place) as library:
            videos_of_it = library.collection()
            found = videos_of_it.index.nearest(query, 7)
        names = [Path(videos_of_it.path(video)).name for video in found.video]
        return names, found.clip.tolist(), found.cosine.tolist()

    first = nearest()
    (made,) = place.glob("clips-*.npy")
    when = made.stat().st_mtime_ns
    assert nearest() == first
    assert made.stat().st_mtime_ns == when
    made.write_bytes(made.read_bytes()[:200])
    assert nearest() == first
    shutil.copy(videos / "0.mp4", videos / "a.mp4")
    write_frames(videos / "new.mp4", (0.1 * t for t in range(20)))
    index(place, videos)
    assert nearest() != first or len(rows(place)) == 4
    assert len(list(place.glob("clips-*.npy"))) == 2  # the existing segment stays unchanged


@pytest.mark.needs("faiss")
def test_codes_are_not_used_where_features_lie_close_together(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(tmp_path / "library", videos)
    monkeypatch.setattr("rdmf_cli.library.library.MOST_EXACT", 1)
    with Library.open(tmp_path / "library") as library:
        assert isinstance(library.collection().index, ExactIndex)  # colours have no signs
        monkeypatch.setattr("rdmf_cli.library.coded.CLOSE", 1.1)
        assert isinstance(library.collection().index, CodedIndex)


def test_a_library_is_of_one_encoder_and_the_error_names_both(tmp_path: Path) -> None:
    made = {"encoder": "one", "encoder_fingerprint": "a", "clip_length": 2.0, "decoder": "auto"}
    with Library.make(tmp_path / "library") as library:
        library.settle(made)
        library.settle(made)
        with pytest.raises(UsageError, match="encoder one, not two"):
            library.require({**made, "encoder": "two", "encoder_fingerprint": "b"})
        with pytest.raises(UsageError, match="other weights of the encoder one"):
            library.require({**made, "encoder_fingerprint": "b"})
        with pytest.raises(UsageError, match=r"clip length 2\.0, not 1\.0"):
            library.settle({**made, "clip_length": 1.0})


def test_names_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(os.environ["RDMF_DATA_DIR"])
    assert library_folder() == data / "libraries" / "default"
    assert library_folder("family films") == data / "libraries" / "family films"
    assert library_folder("./here") == Path("./here")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    assert library_folder("films") == Path("films")
    for name in ("", "a\0b", "*", "a:b"):
        with pytest.raises(UsageError):
            library_folder(name)


def test_a_library_is_not_made_in_a_folder_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files and no library"):
        Library.make(tmp_path)
    with pytest.raises(UsageError, match="holds no library"):
        Library.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

"""The feature cache: entries come back unchanged, damage is noticed, the size is limited."""

from __future__ import annotations

import multiprocessing
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rdmf_cli.errors import RdmfError
from rdmf_cli.features import FeatureStore, cache_folder

KEY = {"content": "abc", "clip_length": 2.0, "start": None}


def rows(count: int = 7, value: float = 1.0) -> np.ndarray:
    return np.full((count, 4), value, dtype=np.float16)


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features", limit=1 << 20)


def test_what_is_put_is_got(store: FeatureStore):
    store.put(KEY, rows(), {"video": "a.mp4"})
    got, about = store.get(KEY)
    assert np.array_equal(got, rows())
    assert got.dtype == np.float16
    assert about["video"] == "a.mp4"


@given(
    array=hnp.arrays(np.float16, st.tuples(st.integers(1, 9), st.integers(1, 5))),
    clip_length=st.floats(0.1, 10),
)
@settings(max_examples=25)
def test_any_rows_come_back_bit_for_bit(tmp_path_factory, array, clip_length):
    store = FeatureStore(tmp_path_factory.mktemp("s"), limit=1 << 20)
    key = {**KEY, "clip_length": clip_length}
    store.put(key, array, {})
    assert store.get(key)[0].tobytes() == array.tobytes()


def test_another_key_is_another_entry(store: FeatureStore):
    store.put(KEY, rows(), {})
    for change in ({"content": "abd"}, {"clip_length": 1.0}, {"start": 3.0}):
        assert store.get({**KEY, **change}) is None


def test_a_damaged_entry_is_not_trusted(store: FeatureStore):
    path = store.put(KEY, rows(), {"video": "a.mp4", "duration": 6.0})
    whole = path.read_bytes()
    spoilt = [b"", b"not a tensor", whole[:-5], whole[: len(whole) // 2]]
    spoilt += [_flipped(whole, at) for at in range(0, len(whole), 3)]
    for blob in spoilt:
        path.write_bytes(blob)
        got = store.get(
            KEY
        )  # a changed bit may have no meaning, for example in a space of the header
        assert got is None or (np.array_equal(got[0], rows()) and got[1]["duration"] == 6.0)
        assert len(store.entries()) == 1
    store.put(KEY, rows(value=2), {})
    assert np.array_equal(store.get(KEY)[0], rows(value=2))


def _flipped(blob: bytes, at: int) -> bytes:
    return blob[:at] + bytes([blob[at] ^ 0x07]) + blob[at + 1 :]


def test_the_least_recently_used_goes_first(tmp_path: Path):
    store = FeatureStore(tmp_path, limit=20_000)
    keys = [{"content": str(i)} for i in range(4)]
    for age, key in enumerate(keys):
        os.utime(store.put(key, rows(300), {}), (1000 + age, 1000 + age))
    assert store.get(keys[0]) is not None  # used again: now the most recently used
    store.prune(2 * store.entries()[0].bytes)
    assert [store.get(key) is not None for key in keys] == [True, False, False, True]


def test_the_cache_stays_within_its_limit(tmp_path: Path):
    store = FeatureStore(tmp_path, limit=20_000)
    for i in range(30):
        store.put({"content": str(i)}, rows(500), {})
        time.sleep(0.002)  # so that times of use differ
        assert store.size() <= 20_000
    assert store.get({"content": "29"}) is not None


def test_clear_also_removes_what_interrupted_runs_left(store: FeatureStore):
    store.put(KEY, rows(), {})
    store.put_part({**KEY, "content": "other"}, 0, {"rows": rows()}, {})
    (store.folder / ".rdmf-0123456789abcdef.part").write_bytes(b"half")
    with store.lock(KEY):
        pass
    assert store.clear() == 1
    assert list(store.folder.iterdir()) == []


FOREIGN = ("model.safetensors", "film.part", "mine.lock", "notes.txt", "x.safetensors.123.part")


def test_files_of_others_in_the_folder_are_left_alone(tmp_path: Path):
    store = FeatureStore(tmp_path, limit=1000)
    for name in FOREIGN:
        (tmp_path / name).write_bytes(b"mine" * 1000)
        os.utime(tmp_path / name, (1000, 1000))
    (tmp_path / f"{'0' * 32}.safetensors").symlink_to(tmp_path / "model.safetensors")
    store.put(KEY, rows(), {"video": "a.mp4"})
    assert len(store.entries()) == 1
    assert store.size() < 2000
    store.prune(0)
    store.remove_video("a.mp4", None)
    store.clear()
    left = {path.name for path in tmp_path.iterdir() if path.is_file() and not path.is_symlink()}
    assert left == set(FOREIGN)


def test_a_lock_that_is_held_stays(store: FeatureStore):
    with store.lock(KEY):
        lock = store.path(KEY).with_suffix(".lock")
        store.clear()
        assert lock.exists()
        script = (
            "import sys; from pathlib import Path; from rdmf_cli.features import FeatureStore;"
            "FeatureStore(Path(sys.argv[1])).clear()"
        )
        subprocess.run([sys.executable, "-c", script, store.folder], check=True)
        assert lock.exists()
    store.clear()
    assert not lock.exists()


def test_the_cache_is_its_owners_alone(store: FeatureStore):
    store.folder.mkdir(mode=0o755)
    entry = store.put(KEY, rows(), {"video": "a.mp4"})
    with store.lock(KEY):
        pass
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600


def test_links_that_lie_where_the_cache_writes_are_not_followed(store: FeatureStore, tmp_path):
    marker = tmp_path / "marker"
    marker.write_bytes(b"mine")
    store.folder.mkdir()
    store.path(KEY).symlink_to(marker)
    store.path(KEY).with_suffix(".lock").symlink_to(marker)
    with store.lock(KEY):
        store.put(KEY, rows(), {})
    assert marker.read_bytes() == b"mine"
    assert store.get(KEY) is not None


def test_a_video_is_forgotten_by_its_path_and_by_its_content(store: FeatureStore):
    for content, video in (("1", "/a.mp4"), ("1b", "/a.mp4"), ("2", "/b.mp4"), ("3", "/c.mp4")):
        store.put({**KEY, "content": content}, rows(), {"video": video})
    store.put_part({**KEY, "content": "4"}, 0, {"rows": rows()}, {"video": "/a.mp4"})
    assert store.remove_video("/a.mp4", None) == 3
    assert store.remove_video("/moved.mp4", "2") == 1
    assert [entry.about["video"] for entry in store.entries()] == ["/c.mp4"]
    assert store.parts({**KEY, "content": "4"}) == []


def test_one_row_per_distinct_frame_fills_its_clips(store: FeatureStore):
    distinct = np.arange(8, dtype=np.float16).reshape(2, 4)
    store.put(KEY, distinct, {}, {"frames": np.array([0, 0, 0, 1, 1])})
    assert np.array_equal(store.get(KEY)[0], distinct[[0, 0, 0, 1, 1]])


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("RDMF_CACHE_DIR", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    assert FeatureStore().folder == tmp_path / "here" / "features"


@pytest.mark.parametrize("text", ["much", "-1", "inf", "nan"])
def test_a_limit_that_is_no_number_is_said(monkeypatch, text):
    monkeypatch.setenv("RDMF_CACHE_LIMIT_MB", text)
    with pytest.raises(RdmfError, match="RDMF_CACHE_LIMIT_MB must be a number of megabytes"):
        FeatureStore()


def _make_slowly(folder: Path, log: Path) -> None:
    store = FeatureStore(folder, limit=1 << 20)
    with store.lock(KEY):
        if store.get(KEY) is None:
            with open(log, "a") as file:
                file.write("made\n")
            time.sleep(0.3)
            store.put(KEY, rows(), {})


def test_two_processes_make_an_entry_once(tmp_path: Path):
    log = tmp_path / "log"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_make_slowly, args=(tmp_path / "c", log)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert log.read_text() == "made\n"

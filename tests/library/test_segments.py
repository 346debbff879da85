"""The clips of a library on disk: clips are added without writing again, and files are complete."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.errors import RdmfError
from rdmf_cli.features import normalise_rows
from rdmf_cli.library.coded import sign_codes
from rdmf_cli.library.segments import MOST_SEGMENTS, MOST_UNUSED, Entry, clips_of

WIDTH = 16


@cache
def features(number: int) -> np.ndarray:
    draw = np.random.default_rng(number)
    return normalise_rows(draw.normal(size=(number % 4 + 1, WIDTH)).astype(np.float32))


@cache
def codes(number: int) -> np.ndarray:
    return sign_codes(features(number))


class Store:
    """Entries of made-up videos; counts how often each is read."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def entries(self, numbers: list[int]) -> list[Entry]:
        def entry(number: int) -> Entry:
            def read() -> np.ndarray:
                self.read.append(number)
                return features(number)

            return Entry(f"{number}.safetensors", number % 4 + 1, read)

        return [entry(number) for number in numbers]


def check(folder: Path, numbers: list[int], with_codes: bool = True) -> list[int]:
    """Map the clips; compare all with what they should be; return what was read."""
    store = Store()
    found = clips_of(folder, store.entries(numbers), with_codes)
    for number, clips in zip(numbers, found, strict=True):
        np.testing.assert_array_equal(clips.features, features(number))
        if with_codes:
            np.testing.assert_array_equal(clips.codes, codes(number))
        some = np.flatnonzero(np.arange(len(clips.rows)) != 1)
        np.testing.assert_array_equal(clips.rows[some], features(number)[some])
        assert len(clips.rows) == len(features(number))
        assert clips.rows[some[:0]].shape == (0, WIDTH)
    return store.read


@settings(max_examples=30)  # each example writes up to twelve files, flushed to the disk
@given(steps=st.lists(st.sets(st.integers(0, 20)), min_size=1, max_size=12))
def test_any_change_of_the_videos_is_followed(tmp_path_factory, steps) -> None:
    folder = tmp_path_factory.mktemp("library")
    known: set[int] = set()
    for wanted in steps:
        read = check(folder, sorted(wanted))
        assert not known & set(read)  # rows in a file are not read from the store again
        assert len(list(folder.glob("clips-*.npy"))) <= MOST_SEGMENTS + 1
        size = sum(np.load(path, mmap_mode="r").shape[0] for path in folder.glob("clips-*.npy"))
        used = sum(number % 4 + 1 for number in wanted)
        assert not wanted or (size - used) * (1 - MOST_UNUSED) <= MOST_UNUSED * size + used
        known = wanted
        assert check(folder, sorted(wanted)) == []


def test_growth_leaves_what_is_there(tmp_path: Path) -> None:
    check(tmp_path, [1, 2, 3])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert check(tmp_path, [1, 2, 3, 4]) == [4]
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())


def test_codes_are_made_when_they_are_first_wanted(tmp_path: Path) -> None:
    check(tmp_path, [1, 2, 3], with_codes=False)
    check(tmp_path, [1, 2, 3], with_codes=True)
    assert check(tmp_path, [1, 2, 3], with_codes=True) == []


@pytest.mark.parametrize("suffix", ["npy", "json"])
@pytest.mark.parametrize("damage", [None, b"", b"[[1]]", b"\x93NUMPY"])
def test_a_damaged_segment_is_written_again(tmp_path: Path, suffix: str, damage) -> None:
    check(tmp_path, [1, 2, 3])
    for path in tmp_path.glob(f"clips-*.{suffix}"):
        path.unlink()
        if damage is not None:
            path.write_bytes(damage)
    assert check(tmp_path, [1, 2, 3]) == [1, 2, 3]
    assert check(tmp_path, [1, 2, 3]) == []


def test_what_cannot_be_written_is_kept_in_memory(tmp_path: Path, monkeypatch) -> None:
    from rdmf_cli.errors import RdmfError

    def full(*_: object, **__: object) -> None:
        raise RdmfError("the file cannot be written (No space left on device)")

    monkeypatch.setattr("rdmf_cli.library.segments.write_own", full)
    assert check(tmp_path, [1, 2, 3]) == [1, 2, 3]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_became_shorter_is_an_error(tmp_path):
    store = Store()
    clips = clips_of(tmp_path, store.entries([3, 7]), with_codes=True)
    (path,) = tmp_path.glob("clips-*.npy")
    os.truncate(path, path.stat().st_size - 1)
    clips[0].rows[np.array([0])]
    with pytest.raises(RdmfError, match=r"clips-.*\.npy: this file became shorter; index again"):
        clips[1].rows[np.array([3])]

"""Watching of folders: which files are read, and when."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
import watchfiles
from hypothesis import given, settings
from hypothesis import strategies as st

from rdmf_cli.errors import UsageError
from rdmf_cli.library.catalogue import Root
from rdmf_cli.library.watching import GROWTH, Changes, Pending, changes

assert watchfiles  # it needs this package, which the plain installation lacks


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pending(clock: Clock) -> Pending:
    return Pending(quiet=2.0, growing=10.0, clock=clock)


def written(path: Path, size: int, at: int) -> Path:
    path.write_bytes(b"x" * size)
    os.utime(path, (at, at))
    return path


def test_a_file_is_read_once_it_is_quiet(pending: Pending, clock: Clock, tmp_path: Path) -> None:
    pending.add(written(tmp_path / "a.mp4", 10, 0))
    for second in range(1, 5):  # it is written for a few seconds
        assert pending.ready() == []
        written(tmp_path / "a.mp4", 10 + second, second)
        clock.now += 1
    assert pending.ready() == []
    clock.now += 2
    (ready,) = pending.ready()
    assert (ready.path, ready.growing) == (tmp_path / "a.mp4", False)
    assert len(pending) == 0


def test_a_file_that_is_gone_is_forgotten(pending: Pending, tmp_path: Path) -> None:
    pending.add(written(tmp_path / "a.mp4", 10, 0))
    assert pending.ready() == []
    (tmp_path / "a.mp4").unlink()
    assert pending.ready() == []
    assert len(pending) == 0


def test_a_file_that_was_not_complete_must_be_quiet_for_longer(
    pending: Pending, clock: Clock, tmp_path: Path
) -> None:
    waited = []
    for turn in range(7):
        pending.add(written(tmp_path / "a.mp4", 10, turn))
        assert pending.ready() == []
        begun = clock.now
        while not pending.ready():
            clock.now += 1
        waited.append(clock.now - begun)
    assert waited == [2, 4, 8, 16, 32, 60, 60]


@settings(max_examples=30)
@given(growth=st.lists(st.integers(1, 4000), min_size=20, max_size=60))
def test_a_recording_is_read_as_it_grows_a_few_times_over(tmp_path_factory, growth) -> None:
    """All readings together read at most 1 / (1 - 1 / GROWTH) times the whole file."""
    clock, path = Clock(), tmp_path_factory.mktemp("growing") / "a.ts"
    pending = Pending(quiet=2.0, growing=10.0, clock=clock)
    read, size = [], 0
    for second, more in enumerate(growth):
        size += more
        written(path, size, second)
        pending.add(path)
        read += [size for ready in pending.ready() if ready.growing]
        clock.now += 1
    assert sum(read) <= size / (1 - 1 / GROWTH)
    assert len(read) <= len(growth) / 10 + 1
    assert all(b >= GROWTH * a for a, b in itertools.pairwise(read))


def until(watched, wanted) -> Changes:
    for seen in itertools.islice(watched, 200):
        if wanted(seen):
            return seen
    raise AssertionError("it was not seen within 200 looks")


def test_changes_are_those_of_videos_below_the_roots(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    (folder / "inside").mkdir(parents=True)
    one = written(tmp_path / "one.bin", 1, 0)
    roots = [Root(str(folder), ("proxy*",)), Root(str(one), ())]
    watched = changes(roots, look=0.05)
    assert next(watched) == Changes()  # watching has begun
    for name in ("notes.txt", ".hidden.mp4", "proxy.mp4", "inside/new.mp4"):
        written(folder / name, 1, 0)
    written(tmp_path / "other.mp4", 1, 0)
    new = folder / "inside" / "new.mp4"
    assert until(watched, lambda seen: seen.videos).videos == (new,)
    written(tmp_path / "next.bin", 2, 0).replace(one)  # as programs save
    assert until(watched, lambda seen: one in seen.videos)
    (tmp_path / "moved").mkdir()
    written(tmp_path / "moved" / "b.mkv", 1, 0)
    (tmp_path / "moved").rename(folder / "here")
    assert until(watched, lambda seen: folder / "here" / "b.mkv" in seen.videos)
    new.unlink()
    assert until(watched, lambda seen: seen.lost).lost


def test_nothing_to_watch_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is nothing to watch"):
        next(changes([Root(str(tmp_path / "none"), ())]))

"""The feature cache: content-addressed, atomic, locked across processes, bounded in size.

One entry is one safetensors file named by the hash of its key; what it is of stands in the file's
own metadata. An entry that cannot be read is thrown away and made again, never trusted. What an
unfinished extraction has so far lies beside it, in numbered files. Other files in the folder are
somebody else's: they are neither read, counted nor removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.files import PART, write_whole
from rdmf_cli.folders import cache_folder

LAYOUT = 2  # raised when the meaning of an entry changes; older ones are then never found
DEFAULT_LIMIT = 2 << 30  # bytes
LOCK_SECONDS = 3600.0  # another process may be extracting a long video
LEFT_OVER_SECONDS = 86_400.0  # a part older than a day belongs to nobody


ENTRY = re.compile(r"[0-9a-f]{32}\.safetensors")
KEPT = re.compile(r"[0-9a-f]{32}\.[0-9]{6}\.kept")
CONTENT = ("content", "bytes")  # what a key says of the file itself
LOCK = re.compile(r"[0-9a-f]{32}\.lock")

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Entry:
    """One cached file. `about` says what it was made of; `rows` is float16 (L, D)."""

    path: Path
    about: dict[str, Any]
    bytes: int
    used: float  # time of last use, seconds since the epoch


def size_limit() -> int:
    """Bytes the cache may hold: RDMF_CACHE_LIMIT_MB, 2 GiB by default."""
    text = os.environ.get("RDMF_CACHE_LIMIT_MB")
    if not text:
        return DEFAULT_LIMIT
    return megabytes(text, "RDMF_CACHE_LIMIT_MB")


def megabytes(text: str | float, name: str) -> int:
    """A number of megabytes in bytes; UsageError for what is no number, or below zero."""
    try:
        count = float(text)
        if not 0 <= count < 1e12:
            raise ValueError(text)
    except ValueError as error:
        raise UsageError(
            f"{name} is not a number of megabytes: {text!r}", todo="write 2048, say"
        ) from error
    return int(count * (1 << 20))


class FeatureStore:
    """Rows of videos by key. A key is a dict of plain values: the content's fingerprint, the clip
    grid, the frame rule, the decoder family, the encoder's name and fingerprint."""

    def __init__(self, folder: Path | None = None, limit: int | None = None):
        self.folder = folder if folder is not None else cache_folder() / "features"
        self.limit = limit if limit is not None else size_limit()

    def path(self, key: dict[str, Any]) -> Path:
        text = json.dumps({"layout": LAYOUT, **key}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.safetensors"

    def get(self, key: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]] | None:
        """Rows float16 (L, D) and what was said of them, or None."""
        loaded = self.load(key)
        return None if loaded is None else (_rows(loaded[0]), loaded[1])

    def load(self, key: dict[str, Any]) -> tuple[Arrays, dict[str, Any]] | None:
        """The arrays of an entry as they were put, and what was said of them, or None."""
        path = self.path(key)
        loaded = _read(path, key)
        if loaded is not None:
            with suppress(OSError):  # a cache that may only be read still serves
                os.utime(path)  # least recently used goes first when the cache is pruned
        return loaded

    def put(
        self,
        key: dict[str, Any],
        rows: np.ndarray,
        about: Mapping[str, Any],
        more: Mapping[str, np.ndarray] | None = None,
    ) -> Path:
        """Write an entry whole or not at all, then prune to the limit.

        Args:
            key: What the entry is found by.
            rows: Features (L, D).
            about: What a reader should know of them, as JSON can hold it.
            more: Arrays beside the rows. With `frames`, int (L,), `rows` holds one row per
                distinct frame, and clip i is shown by row `frames[i]`.

        Returns:
            The path of the entry.

        Raises:
            RdmfError: The folder cannot be written; the caller has its rows and may go on.
        """
        path = self.path(key)
        self._write(path, key, {**(more or {}), "rows": rows}, about)
        self.prune(self.limit, keep=path)
        return path

    def keep(
        self, key: dict[str, Any], number: int, arrays: Arrays, about: Mapping[str, Any]
    ) -> None:
        """Write part `number` (from 0) of what an unfinished extraction has. Raises RdmfError."""
        self._write(self._kept_path(key, number), key, arrays, about)

    def kept(self, key: dict[str, Any]) -> list[tuple[Arrays, dict[str, Any]]]:
        """The parts that an unfinished extraction kept, in order, up to one that is damaged."""
        parts: list[tuple[Arrays, dict[str, Any]]] = []
        while (loaded := _read(self._kept_path(key, len(parts)), key)) is not None:
            parts.append(loaded)
        return parts

    def forget_kept(self, key: dict[str, Any], first: int = 0) -> None:
        """Remove the parts of an unfinished extraction, from number `first` on."""
        stem = self.path(key).stem
        for path in self._own(KEPT):
            if path.name.startswith(f"{stem}.") and int(path.name.split(".")[1]) >= first:
                _removed(path)

    def earlier(self, key: dict[str, Any], video: str) -> Iterator[dict[str, Any]]:
        """Keys of other content that the same path once held, the longest file first.

        Looked through where a file is not known: it may have grown since.
        """
        found = {}
        for path in [*self._own(ENTRY), *self._own(KEPT)]:
            about = _told(path)
            other = about.get("key", {})
            if about.get("video") == video and _same_wish(other, key):
                found[self.path(other)] = other
        yield from sorted(found.values(), key=lambda other: -other["bytes"])

    def remove(self, key: dict[str, Any]) -> None:
        """Remove an entry and what was kept of it."""
        _removed(self.path(key))
        self.forget_kept(key)

    def remove_video(self, video: str, content: str | None) -> int:
        """Remove all that is known of a video, by its path or its content's fingerprint.

        Returns the number of entries, unfinished ones included. Raises RdmfError where one cannot
        be removed.
        """
        gone = set()
        for path in [*self._own(ENTRY), *self._own(KEPT)]:
            about = _told(path)
            its_content = about.get("key", {}).get("content")
            if about.get("video") == video or (content and its_content == content):
                _remove(path)
                gone.add(path.name.split(".")[0])
        return len(gone)

    def _kept_path(self, key: dict[str, Any], number: int) -> Path:
        return self.folder / f"{self.path(key).stem}.{number:06}.kept"

    def _write(
        self, path: Path, key: dict[str, Any], arrays: Arrays, about: Mapping[str, Any]
    ) -> None:
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        told = json.loads(json.dumps({**about, "key": key}))
        blob = save(arrays, {"about": json.dumps(told), "sha256": _sum(arrays, told)})
        self.make_folder()
        write_whole(path, blob, own=True, mode=0o600, what="the features")

    def make_folder(self) -> None:
        """Make the folder, for its owner alone: it names private footage. Raises RdmfError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            what = f"the cache cannot be made ({error.strerror})"
            raise RdmfError(what, self.folder, "set RDMF_CACHE_DIR to another folder") from error
        with suppress(OSError):  # made by an older version, or another user's
            if stat.S_IMODE(self.folder.stat().st_mode) & 0o077:
                self.folder.chmod(0o700)

    def _own(self, names: re.Pattern[str]) -> list[Path]:
        """The cache's own files of a kind; whatever else lies in the folder is left alone."""
        try:
            with os.scandir(self.folder) as found:
                return [
                    Path(file.path)
                    for file in found
                    if names.fullmatch(file.name) and file.is_file(follow_symlinks=False)
                ]
        except OSError:  # there is no cache yet
            return []

    @contextmanager
    def lock(self, key: dict[str, Any]) -> Iterator[None]:
        """Held while an entry is made, so that two processes do not make it twice.

        Where no lock can be had (a cache that cannot be written), the work is done without.
        """
        from filelock import FileLock, Timeout

        path = self.path(key).with_suffix(".lock")
        lock = FileLock(str(path), timeout=LOCK_SECONDS)
        try:
            if path.is_symlink():
                _removed(path)
            self.make_folder()
            lock.acquire()
        except (RdmfError, OSError, Timeout, NotImplementedError):
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def entries(self) -> list[Entry]:
        """All readable entries, the most recently used first."""
        found = (_entry(path) for path in self._own(ENTRY))
        return sorted((e for e in found if e is not None), key=lambda e: -e.used)

    def size(self) -> int:
        """Bytes of all entries in the cache, unfinished ones included."""
        return sum(_size(path) for path in [*self._own(ENTRY), *self._own(KEPT)])

    def prune(self, limit: int, keep: Path | None = None) -> list[Path]:
        """Remove the least recently used entries until at most `limit` bytes are left.

        What cannot be removed stays: a full cache must not cost the answer.
        """
        self._remove_leftovers()
        own = [*self._own(ENTRY), *self._own(KEPT)]
        files = [(path, found) for path in own if (found := _stat(path)) is not None]
        files.sort(key=lambda f: f[1].st_mtime)
        total, removed = sum(s.st_size for _, s in files), []
        for path, found in files:
            if total <= limit:
                break
            if path != keep and _removed(path):
                total -= found.st_size
                removed.append(path)
        return removed

    def clear(self) -> int:
        """Remove every entry, also what interrupted runs left; the number of entries removed.

        Locks that a running command holds, and the parts it writes, stay.
        """
        entries = self._own(ENTRY)
        for path in entries:
            _remove(path)
        for path in self._own(KEPT):
            _removed(path)
        for path in self._own(LOCK):
            _remove_free(path)
        self._remove_leftovers(LEFT_OVER_SECONDS if self._own(LOCK) else 0)
        return len(entries)

    def _remove_leftovers(self, age: float = LEFT_OVER_SECONDS) -> None:
        """Parts of entries whose process was killed; age in seconds."""
        for path in self._own(PART):
            found = _stat(path)
            if found is not None and time.time() - found.st_mtime > age:
                _removed(path)


def _same_wish(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two keys differ in the content of the file, and in nothing else."""
    content = {name: other.get(name) for name in CONTENT}
    return {**one, **content} == other and one != other and isinstance(one.get("bytes"), int)


def _rows(arrays: Arrays) -> np.ndarray:
    """One row per clip, where an entry holds one per distinct frame."""
    rows, frames = arrays["rows"], arrays.get("frames")
    if frames is None or len(frames) == len(rows):
        return rows
    expanded: np.ndarray = rows[frames]
    return expanded


def _remove(path: Path) -> None:
    if not _removed(path):
        raise RdmfError("this entry cannot be removed", path, "check its permissions")


def _remove_free(lock: Path) -> None:
    """Remove a lock that no process holds."""
    from filelock import FileLock, Timeout

    held = FileLock(str(lock), timeout=0)
    with suppress(OSError, Timeout, NotImplementedError):
        held.acquire()
        _removed(lock)
        held.release()


def _removed(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _read(path: Path, key: dict[str, Any] | None = None) -> tuple[Arrays, dict[str, Any]] | None:
    """What an entry holds; None where it is damaged, or of another key."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            told = file.metadata() or {}
            about = json.loads(told["about"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if _sum(arrays, about) != told["sha256"]:
            raise ValueError("this is not what was written")
        if key is not None and about["key"] != json.loads(json.dumps(key)):
            return None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return arrays, about


def _told(path: Path) -> dict[str, Any]:
    """What an entry says of itself, unproved; empty where it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            about = json.loads((file.metadata() or {})["about"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return {}
    return about if isinstance(about, dict) and isinstance(about.get("key"), dict) else {}


def _sum(arrays: Arrays, about: dict[str, Any]) -> str:
    """sha256 of all that an entry says, not of its rows alone."""
    named = sorted(arrays.items())
    shapes = [[name, array.dtype.str, array.shape] for name, array in named]
    digest = hashlib.sha256(json.dumps([about, shapes], sort_keys=True).encode())
    for _, array in named:
        digest.update(array.tobytes())
    return digest.hexdigest()


def _entry(path: Path) -> Entry | None:
    found, loaded = _stat(path), _read(path)
    about = {"video": "(unreadable: will be made again)"} if loaded is None else loaded[1]
    return None if found is None else Entry(path, about, found.st_size, found.st_mtime)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # removed by another process meanwhile
        return None


def _size(path: Path) -> int:
    found = _stat(path)
    return 0 if found is None else found.st_size

"""The feature cache: content-addressed, atomic, locked across processes, bounded in size.

An entry is a safetensors file. The file is named after the hash of its key, and its metadata
contain the key and the video. A damaged entry is not used but made again. The parts of an
unfinished extraction are numbered files in the same folder. Other files in the folder are never
read, counted or removed.
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
from rdmf_cli.files import PART, write_own
from rdmf_cli.folders import cache_folder

TEXTS, GRAPHS = "texts", "graphs"  # folders within the cache's folder; each is a store
INNER_LIMIT = 64 << 20  # bytes per inner store
LAYOUT = 2  # raise this number if the meaning of entries changes; then old entries are not found
DEFAULT_LIMIT = 2 << 30  # bytes
LOCK_SECONDS = 3600.0  # another process may be extracting a long video
LEFT_OVER_SECONDS = 86_400.0  # no process still writes to an unfinished file of this age


ENTRY = re.compile(r"[0-9a-f]{32}\.safetensors")
KEPT = re.compile(r"[0-9a-f]{32}\.[0-9]{6}\.kept")
CONTENT = ("content", "bytes")  # the fields of a key that describe the file
LOCK = re.compile(r"[0-9a-f]{32}\.lock")

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class StoredFeatures:
    """A cached file.

    Attributes:
        path: The file.
        about: The metadata of the file: the video, the encoder, the key and more.
        bytes: The size of the file.
        used: Time of the last use, in seconds since the epoch.
    """

    path: Path
    about: dict[str, Any]
    bytes: int
    used: float


def size_limit() -> int:
    """Return the size limit of the cache in bytes: RDMF_CACHE_LIMIT_MB, 2 GiB by default."""
    text = os.environ.get("RDMF_CACHE_LIMIT_MB")
    if not text:
        return DEFAULT_LIMIT
    return megabytes(text, "RDMF_CACHE_LIMIT_MB")


def megabytes(text: str | float, name: str) -> int:
    """Convert a number of MiB to bytes.

    Args:
        text: The number of MiB, 0 or more.
        name: The option or variable, for the error message.

    Raises:
        UsageError: `text` is not a number of at least 0.
    """
    try:
        count = float(text)
        if not 0 <= count < 1e12:
            raise ValueError(text)
    except ValueError as error:
        raise UsageError(
            f"must be a number of megabytes, not {text!r}", name, "write 2048, for example"
        ) from error
    return int(count * (1 << 20))


class FeatureStore:
    """The features of videos, stored by key.

    A key is a dictionary of plain values: the file's fingerprint and size, the clip length and the
    part, the frame rule, the decoder, and the encoder's name and fingerprint.

    Args:
        folder: The folder; None: `features` in the cache folder.
        limit: Size limit in bytes; None: `size_limit()`.
        keeps_all: Whether to keep entries of earlier states of a file; a library may still list
            these entries.
    """

    def __init__(
        self, folder: Path | None = None, limit: int | None = None, keeps_all: bool = False
    ):
        self.keeps_all = keeps_all
        self.folder = folder if folder is not None else cache_folder() / "features"
        self.limit = limit if limit is not None else size_limit()

    @property
    def texts(self) -> FeatureStore:
        """The store of the features of texts; `clear` also clears this store."""
        return self._inner(TEXTS)

    @property
    def graphs(self) -> FeatureStore:
        """The store of ONNX graphs, in the form that loads fastest. `clear` clears it, too."""
        return self._inner(GRAPHS)

    def _inner(self, name: str) -> FeatureStore:
        return FeatureStore(self.folder / name, min(INNER_LIMIT, self.limit))

    def _inners(self) -> list[FeatureStore]:
        names = [name for name in (TEXTS, GRAPHS) if (self.folder / name).is_dir()]
        return [self._inner(name) for name in names]

    def path(self, key: dict[str, Any]) -> Path:
        """Return the path of the entry of a key; the entry need not exist."""
        text = json.dumps({"layout": LAYOUT, **key}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.safetensors"

    def get(self, key: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]] | None:
        """Return the features float16 (L, D) of a key and their metadata; None without an entry."""
        loaded = self.load(key)
        return None if loaded is None else (_rows(loaded[0]), loaded[1])

    def load(self, key: dict[str, Any]) -> tuple[Arrays, dict[str, Any]] | None:
        """Return all arrays of an entry and its metadata; None if there is no entry."""
        path = self.path(key)
        loaded = _read(path, key)
        if loaded is not None:
            with suppress(OSError):  # a read-only cache can be used, too
                os.utime(path)  # pruning removes the least recently used entries first
        return loaded

    def put(
        self,
        key: dict[str, Any],
        rows: np.ndarray,
        about: Mapping[str, Any],
        more: Mapping[str, np.ndarray] | None = None,
    ) -> Path:
        """Write an entry, completely or not at all. Then prune the cache to its limit.

        Args:
            key: The key of the entry.
            rows: Features (L, D).
            about: Metadata that JSON can hold.
            more: More arrays. With `frames`, int (L,), `rows` has one row per distinct frame, and
                the features of clip i are row `frames[i]`.

        Returns:
            The path of the entry.

        Raises:
            RdmfError: The cache cannot be written.
        """
        path = self.path(key)
        self._write(path, key, {**(more or {}), "rows": rows}, about)
        self.prune(self.limit, keep=path)
        return path

    def put_part(
        self, key: dict[str, Any], number: int, arrays: Arrays, about: Mapping[str, Any]
    ) -> None:
        """Write a part of an unfinished extraction.

        Args:
            key: The key that the finished entry will have.
            number: Number of the part, from 0.
            arrays: The arrays of the part.
            about: Metadata that JSON can hold.

        Raises:
            RdmfError: The cache cannot be written.
        """
        self._write(self._part_path(key, number), key, arrays, about)

    def parts(self, key: dict[str, Any]) -> list[tuple[Arrays, dict[str, Any]]]:
        """Read the parts of an unfinished extraction, in order, up to the first damaged part."""
        parts: list[tuple[Arrays, dict[str, Any]]] = []
        while (loaded := _read(self._part_path(key, len(parts)), key)) is not None:
            parts.append(loaded)
        return parts

    def remove_parts(self, key: dict[str, Any], first: int = 0) -> None:
        """Remove the parts of an unfinished extraction, from number `first` on."""
        stem = self.path(key).stem
        for path in self._own(KEPT):
            if path.name.startswith(f"{stem}.") and int(path.name.split(".")[1]) >= first:
                _removed(path)

    def earlier(self, key: dict[str, Any], video: str) -> Iterator[dict[str, Any]]:
        """Yield the keys of earlier states of the same file, the largest first.

        Features of an earlier state are still useful if the file has only grown, such as a
        recording in progress.

        Args:
            key: The key of the file's present state.
            video: The path of the file.
        """
        found = {}
        for path in [*self._own(ENTRY), *self._own(KEPT)]:
            about = _metadata(path)
            other = about.get("key", {})
            if about.get("video") == video and _differ_in_content(other, key):
                found[self.path(other)] = other
        yield from sorted(found.values(), key=lambda other: -other["bytes"])

    def remove(self, key: dict[str, Any]) -> None:
        """Remove an entry and the parts of its unfinished extraction."""
        _removed(self.path(key))
        self.remove_parts(key)

    def remove_video(self, video: str, content: str | None) -> int:
        """Remove all entries of a video, also unfinished entries.

        Args:
            video: Path of the video, as stated in the entries.
            content: Fingerprint of the video's content; None: compare paths only.

        Returns:
            The number of entries removed.

        Raises:
            RdmfError: An entry cannot be removed.
        """
        gone = set()
        for path in [*self._own(ENTRY), *self._own(KEPT)]:
            about = _metadata(path)
            its_content = about.get("key", {}).get("content")
            if about.get("video") == video or (content and its_content == content):
                _remove(path)
                gone.add(path.name.split(".")[0])
        return len(gone)

    def _part_path(self, key: dict[str, Any], number: int) -> Path:
        return self.folder / f"{self.path(key).stem}.{number:06}.kept"

    def _write(
        self, path: Path, key: dict[str, Any], arrays: Arrays, about: Mapping[str, Any]
    ) -> None:
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        metadata = json.loads(json.dumps({**about, "key": key}))
        blob = save(arrays, {"about": json.dumps(metadata), "sha256": _sum(arrays, metadata)})
        self.make_folder()
        write_own(path, blob, mode=0o600, what="the features")

    def make_folder(self) -> None:
        """Make the folder. Only its owner may read it, because entries name private videos.

        Raises:
            RdmfError: The folder cannot be made.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            what = f"the cache folder cannot be made ({error.strerror})"
            raise RdmfError(what, self.folder, "set RDMF_CACHE_DIR to another folder") from error
        with suppress(OSError):  # an older version or another user made the folder
            if stat.S_IMODE(self.folder.stat().st_mode) & 0o077:
                self.folder.chmod(0o700)

    def _own(self, names: re.Pattern[str]) -> list[Path]:
        """Return the cache's own files with such names; ignore other files in the folder."""
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
        """Hold the lock of an entry while it is made, so that only one process makes the entry.

        If the lock cannot be taken (in a read-only cache), continue without the lock.
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

    def entries(self) -> list[StoredFeatures]:
        """Return all entries, the most recently used first."""
        found = (_entry(path) for path in self._own(ENTRY))
        return sorted((e for e in found if e is not None), key=lambda e: -e.used)

    def size(self) -> int:
        """Return the size of all entries in bytes, with unfinished entries and inner stores."""
        own = sum(_size(path) for path in [*self._own(ENTRY), *self._own(KEPT)])
        return own + sum(inner.size() for inner in self._inners())

    def prune(self, limit: int, keep: Path | None = None) -> list[Path]:
        """Remove the least recently used entries until at most `limit` bytes are left.

        If an entry cannot be removed, it stays, and there is no error.

        Args:
            limit: Size limit in bytes.
            keep: An entry to keep in any case.

        Returns:
            The paths removed.
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
        for inner in self._inners():
            inner.prune(min(INNER_LIMIT, max(0, limit - total)))
        return removed

    def clear(self) -> int:
        """Remove every entry, finished or not; return the number of finished entries removed.

        Locks, and files that a running command is writing, are not removed.

        Raises:
            RdmfError: An entry cannot be removed.
        """
        entries = self._own(ENTRY)
        for path in entries:
            _remove(path)
        for path in self._own(KEPT):
            _removed(path)
        for path in self._own(LOCK):
            _remove_free(path)
        self._remove_leftovers(LEFT_OVER_SECONDS if self._own(LOCK) else 0)
        for inner in self._inners():
            inner.clear()
        return len(entries)

    def _remove_leftovers(self, age: float = LEFT_OVER_SECONDS) -> None:
        """Remove unfinished files of killed processes that are older than `age` seconds."""
        for path in self._own(PART):
            found = _stat(path)
            if found is not None and time.time() - found.st_mtime > age:
                _removed(path)


def _differ_in_content(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two keys differ only in the content of the file."""
    content = {name: other.get(name) for name in CONTENT}
    return {**one, **content} == other and one != other and isinstance(one.get("bytes"), int)


def _rows(arrays: Arrays) -> np.ndarray:
    """One row per clip; the entry may have one row per distinct frame."""
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
    """Return the arrays and metadata of an entry; None if it is damaged or has another key."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            about = json.loads(metadata["about"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if _sum(arrays, about) != metadata["sha256"]:
            raise ValueError("checksum mismatch")
        if key is not None and about["key"] != json.loads(json.dumps(key)):
            return None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return arrays, about


def _metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of an entry, without a check of the hash; empty if it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            about = json.loads((file.metadata() or {})["about"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return {}
    return about if isinstance(about, dict) and isinstance(about.get("key"), dict) else {}


def _sum(arrays: Arrays, about: dict[str, Any]) -> str:
    """Return the SHA-256 of an entry's metadata and of all its arrays."""
    named = sorted(arrays.items())
    shapes = [[name, array.dtype.str, array.shape] for name, array in named]
    digest = hashlib.sha256(json.dumps([about, shapes], sort_keys=True).encode())
    for _, array in named:
        digest.update(array.tobytes())
    return digest.hexdigest()


def _entry(path: Path) -> StoredFeatures | None:
    found, loaded = _stat(path), _read(path)
    about = {"video": "(unreadable: will be made again)"} if loaded is None else loaded[1]
    return None if found is None else StoredFeatures(path, about, found.st_size, found.st_mtime)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # another process removed the file meanwhile
        return None


def _size(path: Path) -> int:
    found = _stat(path)
    return 0 if found is None else found.st_size

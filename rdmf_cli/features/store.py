"""The feature cache: content-addressed, atomic, locked across processes, bounded in size.

One entry is one safetensors file named by the hash of its key; what it is of stands in the file's
own metadata. An entry that cannot be read is thrown away and made again, never trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.folders import cache_folder

LAYOUT = 1  # raised when the meaning of an entry changes; older ones are then never found
DEFAULT_LIMIT = 2 << 30  # bytes
LOCK_SECONDS = 3600.0  # another process may be extracting a long video
LEFT_OVER_SECONDS = 86_400.0  # a part older than a day belongs to nobody


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
        path = self.path(key)
        loaded = _read(path)
        if loaded is None or loaded[1]["key"] != json.loads(json.dumps(key)):
            return None
        with suppress(OSError):  # a cache that may only be read still serves
            os.utime(path)  # least recently used goes first when the cache is pruned
        return loaded

    def put(self, key: dict[str, Any], rows: np.ndarray, about: dict[str, Any]) -> Path:
        """Write an entry whole or not at all, then prune to the limit.

        Raises OSError where the folder cannot be written: the caller has its rows and may go on.
        """
        from safetensors.numpy import save

        path = self.path(key)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        rows = np.ascontiguousarray(rows)
        told = json.loads(json.dumps({**about, "key": key}))
        blob = save({"rows": rows}, {"about": json.dumps(told), "sha256": _sum(rows, told)})
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(blob)
            os.replace(part, path)
        finally:
            with suppress(OSError):
                part.unlink()
        self.prune(self.limit, keep=path)
        return path

    @contextmanager
    def lock(self, key: dict[str, Any]) -> Iterator[None]:
        """Held while an entry is made, so that two processes do not make it twice.

        Where no lock can be had (a cache that cannot be written), the work is done without.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(str(self.path(key).with_suffix(".lock")), timeout=LOCK_SECONDS)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except (OSError, Timeout, NotImplementedError):
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def entries(self) -> list[Entry]:
        """All readable entries, the most recently used first."""
        found = (_entry(path) for path in self.folder.glob("*.safetensors"))
        return sorted((e for e in found if e is not None), key=lambda e: -e.used)

    def size(self) -> int:
        """Bytes of all files in the cache."""
        return sum(_size(path) for path in self.folder.glob("*.safetensors"))

    def prune(self, limit: int, keep: Path | None = None) -> list[Path]:
        """Remove the least recently used entries until at most `limit` bytes are left.

        What cannot be removed stays: a full cache must not cost the answer.
        """
        self._remove_leftovers()
        files = [(p, s) for p in self.folder.glob("*.safetensors") if (s := _stat(p)) is not None]
        files.sort(key=lambda f: f[1].st_mtime)
        total, removed = sum(s.st_size for _, s in files), []
        for path, stat in files:
            if total <= limit:
                break
            if path != keep and _removed(path):
                total -= stat.st_size
                removed.append(path)
        return removed

    def clear(self) -> int:
        """Remove everything, also what interrupted runs left; the number of entries removed."""
        entries = list(self.folder.glob("*.safetensors"))
        for path in entries:
            if not _removed(path):
                raise RdmfError("this entry cannot be removed", path, "check its permissions")
        for path in [*self.folder.glob("*.part"), *self.folder.glob("*.lock")]:
            _removed(path)
        return len(entries)

    def _remove_leftovers(self) -> None:
        """Parts of entries whose process was killed long ago."""
        for path in self.folder.glob("*.part"):
            stat = _stat(path)
            if stat is not None and time.time() - stat.st_mtime > LEFT_OVER_SECONDS:
                _removed(path)


def _removed(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _read(path: Path) -> tuple[np.ndarray, dict[str, Any]] | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            told = file.metadata() or {}
            about, rows = json.loads(told["about"]), file.get_tensor("rows")
        if _sum(rows, about) != told["sha256"]:
            raise ValueError("this is not what was written")
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return rows, about


def _sum(rows: np.ndarray, about: dict[str, Any]) -> str:
    """sha256 of all that an entry says, not of its rows alone."""
    said = json.dumps([about, rows.dtype.str, rows.shape], sort_keys=True)
    return hashlib.sha256(said.encode() + rows.tobytes()).hexdigest()


def _entry(path: Path) -> Entry | None:
    stat, loaded = _stat(path), _read(path)
    about = {"video": "(unreadable: will be made again)"} if loaded is None else loaded[1]
    return None if stat is None else Entry(path, about, stat.st_size, stat.st_mtime)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # removed by another process meanwhile
        return None


def _size(path: Path) -> int:
    stat = _stat(path)
    return 0 if stat is None else stat.st_size

"""The feature cache: its entries, its size, and how to remove entries."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rdmf_cli.api.arguments import FilePath
from rdmf_cli.folders import towers_root
from rdmf_cli.outputs.payloads.upkeep import CacheEntry, CacheSize

if TYPE_CHECKING:
    from rdmf_cli.features import FeatureStore


def list_cache() -> list[CacheEntry]:
    """List the entries of the cache, the most recently used first."""
    return [
        CacheEntry(
            video=entry.about.get("video"),
            encoder=entry.about.get("encoder"),
            clip_length=entry.about.get("clip_length"),
            duration=entry.about.get("duration"),
            bytes=entry.bytes,
            used=entry.used,
            file=str(entry.path),
        )
        for entry in _store().entries()
    ]


def cache_size() -> CacheSize:
    """Return the size of the cache and its limit, and the size of the kept towers."""
    store = _store()
    return CacheSize(
        bytes=store.size(), limit_bytes=store.limit, towers_bytes=size_of(towers_root())
    )


def size_of(folder: Path) -> int:
    """Return the size of all files below a folder in bytes; 0 if there is no such folder."""
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # another process has removed it
            found += path.stat().st_size if path.is_file() and not path.is_symlink() else 0
    return found


def cache_folder() -> Path:
    """Return the folder of the cache."""
    return _store().folder


def prune_cache(megabytes: float | None = None) -> int:
    """Remove the least recently used entries until the cache is small enough.

    Args:
        megabytes: The size to which the cache is reduced, in megabytes; None: the cache's limit.

    Returns:
        The number of entries that were removed.
    """
    from rdmf_cli.features.store import megabytes as in_bytes

    store = _store()
    return len(store.prune(store.limit if megabytes is None else in_bytes(megabytes, "--to")))


def clear_cache() -> int:
    """Remove all entries of the cache, and return the number of entries."""
    return _store().clear()


def forget_video(video: FilePath) -> int:
    """Remove all entries of a video and of copies of this video; the file itself may be gone.

    Returns:
        The number of entries that were removed.
    """
    from rdmf_cli.features.fingerprint import content_fingerprint

    path = Path(video)
    content = content_fingerprint(path) if path.is_file() else None
    return _store().remove_video(str(path.resolve()), content)


def _store() -> FeatureStore:
    from rdmf_cli.features import FeatureStore

    return FeatureStore()

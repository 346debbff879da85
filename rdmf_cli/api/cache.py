"""The feature cache: what is in it, how large it is, and what to remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rdmf_cli.api.arguments import FilePath
from rdmf_cli.outputs.payloads.upkeep import CacheEntry, CacheSize

if TYPE_CHECKING:
    from rdmf_cli.features import FeatureStore


def list_cache() -> list[CacheEntry]:
    """List what is in the cache, the most recently used first."""
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
    """Tell how much room the cache takes, and how much it may take."""
    store = _store()
    return CacheSize(bytes=store.size(), limit_bytes=store.limit)


def cache_folder() -> Path:
    """Return the folder of the cache."""
    return _store().folder


def prune_cache(megabytes: float | None = None) -> int:
    """Remove what was not used for longest, until the cache is small enough.

    Args:
        megabytes: What to keep; None: the cache's limit.

    Returns:
        How many entries were removed.
    """
    from rdmf_cli.features.store import megabytes as in_bytes

    store = _store()
    return len(store.prune(store.limit if megabytes is None else in_bytes(megabytes, "--to")))


def clear_cache() -> int:
    """Remove everything from the cache; return how many entries that were."""
    return _store().clear()


def forget_video(video: FilePath) -> int:
    """Remove all that was made of a video, and of copies of it; the file may be gone.

    Returns:
        How many entries were removed.
    """
    from rdmf_cli.features.fingerprint import content_fingerprint

    path = Path(video)
    content = content_fingerprint(path) if path.is_file() else None
    return _store().remove_video(str(path.resolve()), content)


def _store() -> FeatureStore:
    from rdmf_cli.features import FeatureStore

    return FeatureStore()

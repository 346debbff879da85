"""Where rdmf keeps what is its own: the cache, and the data that is not made again by itself."""

from __future__ import annotations

import os
from pathlib import Path

from rdmf_cli.errors import UsageError


def cache_folder() -> Path:
    """Return RDMF_CACHE_DIR, else the system's place for a user's caches.

    Raises:
        UsageError: RDMF_CACHE_DIR begins with a ~ that stands for no home folder.
    """
    if chosen := os.environ.get("RDMF_CACHE_DIR"):
        return _expanded("RDMF_CACHE_DIR", chosen)
    from platformdirs import user_cache_path

    return user_cache_path("rdmf", appauthor=False)


def data_folder() -> Path:
    """Return RDMF_DATA_DIR, else the system's place for a user's data: fetched weights, records.

    Raises:
        UsageError: RDMF_DATA_DIR begins with a ~ that stands for no home folder.
    """
    if chosen := os.environ.get("RDMF_DATA_DIR"):
        return _expanded("RDMF_DATA_DIR", chosen)
    from platformdirs import user_data_path

    return user_data_path("rdmf", appauthor=False)


def _expanded(name: str, chosen: str) -> Path:
    try:
        return Path(chosen).expanduser()
    except RuntimeError as error:
        raise UsageError("names no folder", f"{name}={chosen}", "correct it") from error

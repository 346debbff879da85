"""The folders of rdmf: the cache, and data that rdmf cannot make again (downloads, records)."""

from __future__ import annotations

import os
from pathlib import Path

from rdmf_cli.errors import UsageError


def cache_folder() -> Path:
    """Return RDMF_CACHE_DIR if it is set, else the system's folder for a user's caches.

    Raises:
        UsageError: RDMF_CACHE_DIR begins with a `~` that cannot be resolved to a home folder.
    """
    if chosen := os.environ.get("RDMF_CACHE_DIR"):
        return _expanded("RDMF_CACHE_DIR", chosen)
    from platformdirs import user_cache_path

    return user_cache_path("rdmf", appauthor=False)


def data_folder() -> Path:
    """Return RDMF_DATA_DIR if it is set, else the system's folder for a user's data.

    Raises:
        UsageError: RDMF_DATA_DIR begins with a `~` that cannot be resolved to a home folder.
    """
    if chosen := os.environ.get("RDMF_DATA_DIR"):
        return _expanded("RDMF_DATA_DIR", chosen)
    from platformdirs import user_data_path

    return user_data_path("rdmf", appauthor=False)


def _expanded(name: str, chosen: str) -> Path:
    try:
        return Path(chosen).expanduser()
    except RuntimeError as error:
        what = "no home folder for the ~ in this path"
        raise UsageError(what, f"{name}={chosen}", "write the path in full") from error

"""The folders of rdmf: the cache, the user's settings, and the data that rdmf cannot make again."""

from __future__ import annotations

import os
from pathlib import Path

from rdmf_cli.errors import UsageError


def cache_folder() -> Path:
    """Return RDMF_CACHE_DIR if it is set, otherwise the system's folder for a user's caches.

    Raises:
        UsageError: RDMF_CACHE_DIR begins with a `~`, and rdmf finds no home folder for the `~`.
    """
    from platformdirs import user_cache_path

    return _chosen("RDMF_CACHE_DIR") or user_cache_path("rdmf", appauthor=False)


def data_folder() -> Path:
    """Return RDMF_DATA_DIR if it is set, otherwise the system's folder for a user's data.

    Raises:
        UsageError: RDMF_DATA_DIR begins with a `~`, and rdmf finds no home folder for the `~`.
    """
    from platformdirs import user_data_path

    return _chosen("RDMF_DATA_DIR") or user_data_path("rdmf", appauthor=False)


def towers_root() -> Path:
    """Return the folder of converted CLIP models and of the kept tower of the embedded encoder."""
    return data_folder() / "towers"


def config_folder() -> Path:
    """Return RDMF_CONFIG_DIR if it is set, otherwise the system's folder for a user's settings.

    Raises:
        UsageError: RDMF_CONFIG_DIR begins with a `~`, and rdmf finds no home folder for the `~`.
    """
    from platformdirs import user_config_path

    return _chosen("RDMF_CONFIG_DIR") or user_config_path("rdmf", appauthor=False)


def _chosen(variable: str) -> Path | None:
    """Return the folder that an environment variable names; None if the variable is not set."""
    if not (path := os.environ.get(variable)):
        return None
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        what = "no home folder for the ~ in this path"
        raise UsageError(what, f"{variable}={path}", "write the path in full") from error

"""The user's settings: the file config.toml, and environment variables RDMF_<OPTION>.

The file holds a table per command, and the table `common` for all commands:

    [common]
    encoder = "ViT-B-32/laion2b_s34b_b79k"

    [query]
    top-k = 3

    [weights.fetch]
    unverified = false

Only the command line reads settings; the functions of the package take all values as arguments.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from rdmf_cli.errors import RdmfError, UsageError
from rdmf_cli.files import MIB, content_of
from rdmf_cli.folders import config_folder

CONFIG: Final = "config.toml"
COMMON: Final = "common"
"""The table whose values hold for every command that has the option."""

PREFIX: Final = "RDMF_"
OTHER_VARIABLES: Final = frozenset(
    ("RDMF_CACHE_DIR", "RDMF_CACHE_LIMIT_MB", "RDMF_CONFIG_DIR", "RDMF_DATA_DIR")
) | {"RDMF_DEBUG", "RDMF_FFMPEG", "RDMF_THREADS"}
"""Variables that do not stand for an option."""

FOR_PROGRAMS: Final = "RDMF_HIT_"
"""Variables that rdmf sets for the programs of --exec begin with this."""


def config_file() -> Path:
    """Return the path of the user's config.toml; the file need not exist."""
    return config_folder() / CONFIG


def read_config_file(path: Path) -> dict[str, dict[str, Any]]:
    """Read config.toml: values by table and name; a missing file is empty.

    Raises:
        RdmfError: The file cannot be read, or is not TOML.
        UsageError: A value is outside the tables.
    """
    if not path.exists():
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    content = content_of(path, "the settings", "check the file, or remove it", most=MIB)
    try:
        settings = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # not TOML, or not UTF-8
        raise RdmfError(f"is not TOML ({error})", path, "correct the file, or remove it") from error
    for name, table in settings.items():
        if not isinstance(table, dict):
            todo = f"write it below [{COMMON}], or below the name of a command"
            raise UsageError(f"{name} is outside the tables", path, todo)
    return settings


def variable_of(option: str) -> str:
    """Return the environment variable of an option.

    >>> variable_of("top-k")
    'RDMF_TOP_K'
    """
    return PREFIX + option.replace("-", "_").upper()


def set_variables() -> dict[str, str]:
    """Return the environment variables of rdmf that are set and not empty."""
    return {k: v for k, v in os.environ.items() if k.startswith(PREFIX) and v}

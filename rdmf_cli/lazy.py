"""Import the names of a package when they are first used: `rdmf --help` stays fast."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Make the `__getattr__` of a package (PEP 562).

    Args:
        package: The `__name__` of the package.
        homes: For each public name, the module that defines the name.
    """

    def found(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return found


def listed(package: str, homes: Iterable[str]) -> Callable[[], list[str]]:
    """Make the `__dir__` of a package: its names, also those that are not imported yet.

    Args:
        package: The `__name__` of the package.
        homes: The names that are imported when they are first used.
    """
    return lambda: sorted({*vars(sys.modules[package]), *homes})

"""In-memory cache of features, because training reads every video in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np

MOST_BYTES = 2 << 30

Value = TypeVar("Value", bound=tuple[Any, ...])


class ArrayCache:
    """In-memory cache of tuples of arrays.

    The cache never removes an entry. Training reads a dataset again and again in the same order,
    and the dataset may be too large for the cache. If a full cache removed its oldest entry, each
    entry would be lost just before its next use.

    Args:
        limit: Size limit in bytes.
    """

    def __init__(self, limit: int = MOST_BYTES):
        self.limit = limit
        self.bytes = 0
        self._kept: dict[Hashable, tuple[Any, ...]] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the cached value of a key; if there is none, call `make` and cache its result."""
        if key in self._kept:
            return self._kept[key]  # type: ignore[return-value]
        made = make()
        size = sum(part.nbytes for part in made if isinstance(part, np.ndarray))
        if self.bytes + size <= self.limit:
            self._kept[key] = made
            self.bytes += size
        return made

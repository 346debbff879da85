"""In-memory cache of features, as training reads every video in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np

MOST_BYTES = 2 << 30

Value = TypeVar("Value", bound=tuple[Any, ...])


class ArrayCache:
    """In-memory cache of tuples of arrays, which never evicts an entry.

    Where a dataset does not fit and is read in rounds, evicting the oldest entry would remove each
    one just before it is read again. So a full cache keeps what it has.

    Args:
        limit: Size limit in bytes.
    """

    def __init__(self, limit: int = MOST_BYTES):
        self.limit = limit
        self.bytes = 0
        self._kept: dict[Hashable, tuple[Any, ...]] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the cached value of a key; call `make` (and cache its result) if there is none."""
        if key in self._kept:
            return self._kept[key]  # type: ignore[return-value]
        made = make()
        size = sum(part.nbytes for part in made if isinstance(part, np.ndarray))
        if self.bytes + size <= self.limit:
            self._kept[key] = made
            self.bytes += size
        return made

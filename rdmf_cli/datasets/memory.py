"""What was read once and may be wanted again: training visits every video in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

import numpy as np

MOST_BYTES = 2 << 30

Value = TypeVar("Value", bound=tuple)


class Memory:
    """Keeps tuples of arrays by key until it is full, and then those it has.

    Nothing is thrown out for something newer: where a whole set does not fit and is visited in
    rounds, the oldest would always be gone just before it is wanted.

    limit: bytes of arrays
    """

    def __init__(self, limit: int = MOST_BYTES):
        self.limit = limit
        self.bytes = 0
        self._kept: dict[Hashable, tuple] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What is kept under the key, else what `make` makes."""
        if key in self._kept:
            return self._kept[key]  # type: ignore[return-value]
        made = make()
        size = sum(part.nbytes for part in made if isinstance(part, np.ndarray))
        if self.bytes + size <= self.limit:
            self._kept[key] = made
            self.bytes += size
        return made

"""Results that depend on the video alone, kept for the next query on the same video."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np

Value = TypeVar("Value")


class VideoMemo:
    """Results that depend on the video alone. All questions on the same clips share one memo.

    >>> memo = VideoMemo()
    >>> memo.get("change", lambda: visual_change(rows))  # computed now
    >>> memo.get("change", lambda: visual_change(rows))  # known
    """

    def __init__(self) -> None:
        self._rows: np.ndarray | None = None
        self._known: dict[Hashable, Any] = {}
        self._parts: dict[tuple[int | None, int | None], VideoMemo] = {}

    def belongs_to(self, rows: np.ndarray) -> bool:
        """Return whether the memo is of these rows. A new memo is of the first rows it is asked of.

        Args:
            rows: (L, R, D) features of the clips.
        """
        if self._rows is None:
            self._rows = rows
        return _place(self._rows) == _place(rows)

    def get(self, name: Hashable, make: Callable[[], Value]) -> Value:
        """Return the result of this name; if it is not known yet, call `make` and keep its result.

        The result must not be changed.
        """
        if name not in self._known:
            self._known[name] = make()
        known: Value = self._known[name]
        return known

    def part(self, clips: slice) -> VideoMemo:
        """Return the memo of some of the clips, as if these clips were a whole video."""
        return self._parts.setdefault((clips.start, clips.stop), VideoMemo())


def _place(rows: np.ndarray) -> tuple[object, ...]:
    """Return where in memory the numbers of an array lie."""
    return rows.__array_interface__["data"], rows.shape, rows.strides

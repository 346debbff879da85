"""Rows of a large file, read when they are needed, without a memory map.

The pages of a memory map count as memory of the process, and the system maps up to 16 pages around
each page that is touched: a query that reads 4,000 scattered rows of 1.5 kB maps up to 250 MB.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from rdmf_cli.errors import RdmfError
from rdmf_cli.library.index import Array

ITEM: Final = np.dtype("<f4")


class Rows(Protocol):
    """Features of one video, of which some rows are read: an array, or a part of a file."""

    def __len__(self) -> int:
        """Count the rows."""
        ...

    def __getitem__(self, rows: npt.NDArray[np.int64], /) -> Array:
        """Return some rows (n, D), by their places from 0."""
        ...


class RowFile:
    """A numpy file of float32 rows (N, D), open for reading; several threads may read.

    Args:
        path: The file.
        offset: Where the first row begins, in bytes.
        width: Number of columns D.
    """

    def __init__(self, path: Path, offset: int, width: int):
        self._path, self._offset, self._width = path, offset, width
        self._file = path.open("rb", buffering=0)
        self._lock = Lock()

    def read(self, rows: npt.NDArray[np.int64]) -> Array:
        """Read some rows (n, D) by their places in the file.

        Raises:
            RdmfError: The file became shorter.
        """
        made = np.empty((len(rows), self._width), ITEM)
        buffer, size = made.reshape(-1).view(np.uint8).data, self._width * ITEM.itemsize
        for at, row in enumerate(rows.tolist()):
            part = buffer[at * size : (at + 1) * size]
            if self._read_into(part, self._offset + row * size) < size:
                raise RdmfError("this file became shorter", self._path, "index again: rdmf index")
        return made

    def _read_into(self, buffer: memoryview, place: int) -> int:
        """Fill a buffer from a place of the file; return the number of bytes."""
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [buffer], place)
        with self._lock:  # Windows has no read at a place
            self._file.seek(place)
            return self._file.readinto(buffer) or 0


class FileRows:
    """The rows of one video in a file.

    Args:
        file: The file.
        place: The rows of the video.
    """

    def __init__(self, file: RowFile, place: slice):
        self._file, self._place = file, place

    def __len__(self) -> int:
        """Count the rows."""
        return int(self._place.stop - self._place.start)

    def __getitem__(self, rows: npt.NDArray[np.int64], /) -> Array:
        """Read some rows (n, D)."""
        return self._file.read(rows + self._place.start)

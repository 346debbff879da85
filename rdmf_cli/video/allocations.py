"""A limit on the size of each block of memory that FFmpeg allocates inside PyAV.

A packet may claim to hold 2 GB, and FFmpeg reads the whole packet before rdmf learns its size.
FFmpeg's own limit on allocations prevents this. PyAV does not give access to the limit, so rdmf
calls FFmpeg's function in the library that PyAV has loaded.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

import av.error

from rdmf_cli.video.sizes import MOST_BYTES_AT_ONCE

USUAL_BYTES = (1 << 31) - 1  # FFmpeg's own limit
_lock = Lock()
_users = 0


@contextmanager
def limited_allocations() -> Iterator[None]:
    """Limit each of FFmpeg's allocations in this process to MOST_BYTES_AT_ONCE, during the block.

    Blocks may overlap, also in several threads. If FFmpeg's library cannot be found, there is no
    limit.
    """
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def _count(change: int) -> None:
    global _users
    set_limit = _limit_setter()
    with _lock:
        _users += change
        if set_limit is not None:
            set_limit(MOST_BYTES_AT_ONCE if _users else USUAL_BYTES)


@cache
def _limit_setter() -> Callable[[int], None] | None:
    """Return FFmpeg's function `av_max_alloc`, which takes a number of bytes."""
    for path in _libraries():
        try:
            setter = ctypes.CDLL(str(path)).av_max_alloc
        except (OSError, AttributeError):
            continue
        setter.argtypes, setter.restype = [ctypes.c_size_t], None
        return setter
    return None


def _libraries() -> list[Path]:
    """Return library files, one of which gives access to the libavutil that PyAV has loaded.

    On Linux and macOS, a module of PyAV gives access to all libraries that it is linked to.
    """
    module = Path(av.error.__file__)
    if sys.platform != "win32":
        return [module]
    return sorted((module.parent.parent / "av.libs").glob("avutil-*.dll"))

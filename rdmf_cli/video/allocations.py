"""A limit on the memory that FFmpeg takes at a time, inside PyAV.

A packet may claim to hold 2 GB, and FFmpeg reads it whole before rdmf learns its size. FFmpeg's own
limit on allocations ends that; PyAV does not give access to it, so the function is called in the
library that PyAV has loaded.
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
    """Let FFmpeg take no more than MOST_BYTES_AT_ONCE at a time, in this process, in the block.

    Blocks may overlap, also in several threads. Where FFmpeg's library cannot be found, nothing is
    limited.
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
    """Return the files among which one gives access to the libavutil that PyAV has loaded.

    On Linux and macOS a module of PyAV gives access to all that it is linked to.
    """
    module = Path(av.error.__file__)
    if sys.platform != "win32":
        return [module]
    return sorted((module.parent.parent / "av.libs").glob("avutil-*.dll"))

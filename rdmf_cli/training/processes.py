"""The number of processes and the rank of this process, as torchrun sets them (needs no torch)."""

from __future__ import annotations

import os


def started() -> int:
    """Return the number of processes that torchrun started; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the rank of this process: its number among all processes, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main_process() -> bool:
    """Return whether this process is the main process (rank 0), which prints and saves."""
    return rank() == 0

"""How many processes train together, and which one this is, as torchrun sets it; without torch."""

from __future__ import annotations

import os


def started() -> int:
    """Return the number of processes that torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the number of this process among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main_process() -> bool:
    """Check whether this is the one process (rank 0) that prints and saves."""
    return rank() == 0

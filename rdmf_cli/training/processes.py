"""How many processes train together, and which one this is: as torchrun tells, without torch."""

from __future__ import annotations

import os


def started() -> int:
    """Tell how many processes torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Tell the number of this process among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main_process() -> bool:
    """Tell whether this is the one process (rank 0) that prints and saves."""
    return rank() == 0

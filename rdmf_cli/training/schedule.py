"""The learning rate of each step: a linear rise, then half a cosine down to 0."""

from __future__ import annotations

import math


def warm_up_steps(share: float, steps: int) -> int:
    """Return the number of steps of the rise: a share of all, rounded, but never all."""
    return min(round(share * steps), steps - 1)


def rate_share(step: int, steps: int, warm_up: int) -> float:
    """Return the share in [0, 1] of the highest rate that step 0, 1, … of `steps` uses.

    >>> [rate_share(step, steps=6, warm_up=2) for step in (0, 1, 2, 4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if step < warm_up:
        return (step + 1) / warm_up
    return (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up))) / 2

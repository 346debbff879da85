"""The learning rate of each training step: first a linear rise, then half a cosine down.

There are two schedules, and both begin with the rise. In `rate_share` (for heads) the cosine starts
after the rise; in `rate_share_throughout` (for the encoder's towers) it starts at the first step.
"""

from __future__ import annotations

import math


def warm_up_steps(share: float, steps: int) -> int:
    """Return the number of steps of the rise: a rounded share of all steps, but not all steps."""
    return min(round(share * steps), steps - 1)


def rate_share(step: int, steps: int, warm_up: int) -> float:
    """Return the share in [0, 1] of the highest rate that step 0, 1, … of `steps` uses.

    >>> [rate_share(step, steps=6, warm_up=2) for step in (0, 1, 2, 4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if step < warm_up:
        return (step + 1) / warm_up
    return _falling(step - warm_up, steps - warm_up)


def rate_share_throughout(step: int, steps: int, warm_up: int, least: float = 0.0) -> float:
    """Return the share in [0, 1] of the highest rate if the cosine falls from the first step on.

    Args:
        step: 0, 1, …
        steps: Number of all steps.
        warm_up: Number of steps of the rise.
        least: The last value of the cosine.
    """
    return min(1, (step + 1) / warm_up) * _falling(step, steps, least)


def _falling(step: int, steps: int, least: float = 0.0) -> float:
    return least + (1 - least) * (1 + math.cos(math.pi * step / steps)) / 2

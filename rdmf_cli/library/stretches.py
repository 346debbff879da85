"""Where a video is read at once, and where in stretches.

A video of ordinary length is read whole, as `rdmf query` reads it. Of a longer one, only the
stretches whose clips match best are read, so that an hour of footage costs no more than a minute.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

WHOLE: Final = 512
"""Clips up to which a video is read whole (17 minutes at 2 s)."""

STRETCH: Final = 256
"""Clips of a stretch of a longer video; stretches overlap by half."""

STRONGEST: Final = 3
"""Clips whose mean similarity stands for a stretch, as for a video in `channels.background`."""


def stretches(clips: int) -> list[slice]:
    """Cut a video of so many clips into the stretches that are read at once.

    >>> stretches(300), stretches(513)[:2]
    ([slice(0, 300, None)], [slice(0, 256, None), slice(128, 384, None)])
    """
    if clips <= WHOLE:
        return [slice(0, clips)]
    hop = STRETCH // 2
    return [slice(start, min(start + STRETCH, clips)) for start in range(0, clips - hop, hop)]


def strongest_by_group(
    similarity: npt.NDArray[np.floating], group: npt.NDArray[np.integer], groups: int
) -> npt.NDArray[np.float64]:
    """Mean of the `STRONGEST` highest similarities of each group; -inf where it has none.

    Args:
        similarity: (N,) of some clips.
        group: (N,) the group of each, from 0 to `groups` - 1.
        groups: How many there are.
    """
    order = np.lexsort((-similarity, group))
    ordered = group[order]
    first = np.searchsorted(ordered, np.arange(groups))
    place = np.arange(len(ordered)) - first[ordered]
    kept = order[place < STRONGEST]
    total = np.bincount(group[kept], similarity[kept], groups)
    count = np.bincount(group[kept], minlength=groups)
    return np.where(count > 0, total / np.maximum(count, 1), -np.inf)

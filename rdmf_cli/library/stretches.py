"""Stretches of long videos: the parts of a long video that a search reads.

In a longer video, only the stretches with the most similar clips are read, so that
the search in an hour of video takes no longer than the search in a minute of video.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

WHOLE: Final = 512
"""A video with at most this many clips is read as a whole (17 minutes at 2 s)."""

STRETCH: Final = 128
"""The number of clips in a stretch; stretches overlap by half."""

STRONGEST: Final = 3
"""A stretch's similarity to a query is the mean over this many clips: `channels.background`."""


def stretches(clips: int) -> list[slice]:
    """Divide a video of `clips` clips into stretches.

    >>> stretches(300), stretches(513)[:2]
    ([slice(0, 300, None)], [slice(0, 128, None), slice(64, 192, None)])
    """
    if clips <= WHOLE:
        return [slice(0, clips)]
    hop = STRETCH // 2
    return [slice(start, min(start + STRETCH, clips)) for start in range(0, clips - hop, hop)]


def strongest_by_group(
    similarity: npt.NDArray[np.floating], group: npt.NDArray[np.integer], groups: int
) -> npt.NDArray[np.float64]:
    """Return the mean of the `STRONGEST` highest similarities of each group.

    Args:
        similarity: Similarities of some clips to a query, (N,).
        group: The group of each clip, from 0 to `groups` - 1, (N,).
        groups: Number of groups.

    Returns:
        (groups,); -inf for a group without clips.
    """
    order = np.lexsort((-similarity, group))
    ordered = group[order]
    first = np.searchsorted(ordered, np.arange(groups))
    place = np.arange(len(ordered)) - first[ordered]
    kept = order[place < STRONGEST]
    total = np.bincount(group[kept], similarity[kept], groups)
    count = np.bincount(group[kept], minlength=groups)
    return np.where(count > 0, total / np.maximum(count, 1), -np.inf)

"""Which clips of a video a sample shows this time: a part of it, and of that part not all.

The same moment so comes with other surroundings, at another length and at another pace, which is
what 1,500 queries teach least of. Importing this module imports torch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from rdmf_cli.training.losses import Recipe
from rdmf_cli.training.targets import Target

Clips = npt.NDArray[np.int_]

LEAST_PART = 15  # clips: a shorter video is shown whole
LEAST_LEFT = 8  # clips, after thinning


def some_clips(target: Target, recipe: Recipe, generator: torch.Generator) -> Clips | None:
    """Indices, ascending, of the clips that are shown; None: all of them.

    Of a video with moments one at least is always left.
    """
    chances = torch.rand(6, generator=generator).tolist()
    cut, thin = chances[0] < recipe.cropped, chances[1] < recipe.thinned
    clips: Clips = np.arange(len(target))
    if cut and len(target.windows):
        clips = _part_around(target, *chances[2:5])
    if thin:
        clips = _thinned(clips, chances[5] * recipe.most_thinned, generator)
    lost = len(target.windows) and not len(target.kept(clips).windows)
    return None if len(clips) == len(target) or lost else clips


def _part_around(target: Target, which: float, before: float, behind: float) -> Clips:
    """From somewhere before one of the windows to somewhere behind it; chances in [0, 1)."""
    start, end = target.windows[int(which * len(target.windows))]
    last = int(np.ceil(end))
    first = int(before * np.floor(start))
    stop = last + int(behind * (len(target) - last + 1))
    part = np.arange(first, min(stop, len(target)))
    return part if len(part) >= LEAST_PART else np.arange(len(target))


def _thinned(clips: Clips, share: float, generator: torch.Generator) -> Clips:
    """Without about this share of the clips."""
    left = clips[torch.rand(len(clips), generator=generator).numpy() >= share]
    return left if len(left) >= LEAST_LEFT else clips

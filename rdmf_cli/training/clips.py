"""Augmentation: crop a video around a moment, and drop clips.

So the same moment appears with different surroundings, lengths and speeds. A small dataset (for
example 1,500 queries) contains little of this variety. Importing this module imports torch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from rdmf_cli.training.hyperparameters import Hyperparameters
from rdmf_cli.training.targets import Target

Clips = npt.NDArray[np.int_]

LEAST_PART = 15  # clips; the shortest crop
LEAST_LEFT = 8  # clips; the fewest that dropping leaves


def some_clips(target: Target, hyper: Hyperparameters, generator: torch.Generator) -> Clips | None:
    """Choose the clips of a video that a sample shows in this batch.

    Args:
        target: the sample's target.
        hyper: the probabilities of crops and drops.
        generator: the sample's generator.

    Returns:
        Indices (n,), ascending, of the clips that are shown; None: all clips. If the video has
        moments, at least one moment stays.
    """
    chances = torch.rand(6, generator=generator).tolist()
    cut, thin = chances[0] < hyper.cropped, chances[1] < hyper.thinned
    clips: Clips = np.arange(len(target))
    if cut and len(target.windows):
        clips = _part_around(target, *chances[2:5])
    if thin:
        clips = _thinned(clips, chances[5] * hyper.most_thinned, generator)
    lost = len(target.windows) and not len(target.kept(clips).windows)
    return None if len(clips) == len(target) or lost else clips


def _part_around(target: Target, which: float, before: float, behind: float) -> Clips:
    """Crop around one window; random numbers in [0, 1) choose the window and both ends."""
    start, end = target.windows[int(which * len(target.windows))]
    last = int(np.ceil(end))
    first = int(before * np.floor(start))
    stop = last + int(behind * (len(target) - last + 1))
    part = np.arange(first, min(stop, len(target)))
    return part if len(part) >= LEAST_PART else np.arange(len(target))


def _thinned(clips: Clips, share: float, generator: torch.Generator) -> Clips:
    """Drop about this share of the clips."""
    left = clips[torch.rand(len(clips), generator=generator).numpy() >= share]
    return left if len(left) >= LEAST_LEFT else clips

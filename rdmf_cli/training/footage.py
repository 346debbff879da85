"""Augmentation: repeats, foreign clips, insertions, other clip lengths, longer videos.

So a head also learns from kinds of videos that users have: static videos, advertisements, clips of
another length, and windows of long videos. Importing this module imports torch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from rdmf_cli.datasets import Sample
from rdmf_cli.datasets import disturbances as disturb
from rdmf_cli.datasets.disturbances import Footage, Rows, footage_of, sample_in
from rdmf_cli.training.hyperparameters import Augmentation

MOST_BETWEEN = 15  # the largest number of clips between two insertions
LONGEST_INSERTION = 5  # clips
LONGEST_JOINED = 128  # clips; longer videos are read in windows of this length

Stranger = Callable[[np.random.Generator], Rows]
"""A function that draws another video: its rows (N, R, D)."""


def numpy_generator(generator: torch.Generator) -> np.random.Generator:
    """Seed a numpy generator like a torch generator; the torch generator stays unchanged."""
    return np.random.default_rng(generator.initial_seed())


class Grain:
    """Hold the changes that all samples of a batch share, so that their lengths stay similar.

    Args:
        hyper: the probabilities of other clip lengths and of longer videos.
        rng: the generator of the batch.
    """

    def __init__(self, hyper: Augmentation, rng: np.random.Generator):
        chance = rng.random()
        bounds = np.cumsum([hyper.short_clips, hyper.long_clips, hyper.joined])
        kind = int(np.searchsorted(bounds, chance, side="right"))
        self.short, self.long, self.joined = (kind == n for n in range(3))


def other_footage(
    sample: Sample,
    hyper: Augmentation,
    grain: Grain,
    rng: np.random.Generator,
    stranger: Stranger,
) -> Sample | None:
    """Change the video of a sample.

    Args:
        sample: the sample with its original video.
        hyper: the probability of each change.
        grain: the shared choices of the batch.
        rng: the generator of the sample.
        stranger: a function that draws other videos.

    Returns:
        The sample in the changed video; None if nothing changes, for example if every clip has a
        label.
    """
    if sample.labels is not None:
        return None
    before = footage_of(sample)
    after = _of_grain(_mixed(before, hyper, rng, stranger), grain, rng, stranger)
    return None if after is before else sample_in(sample, after)


def _mixed(
    footage: Footage, hyper: Augmentation, rng: np.random.Generator, stranger: Stranger
) -> Footage:
    """Repeat clips, replace clips and insert clips, each with its own probability."""
    repeated, foreign, inserted = rng.random(3) < (hyper.repeated, hyper.foreign, hyper.inserted)
    if repeated:
        share = rng.uniform(0.0, hyper.most_repeated)
        footage = disturb.with_repeats(footage, share, rng)
    if foreign:
        share = rng.uniform(0.0, hyper.most_foreign)
        others = [stranger(rng) for _ in range(4)]
        footage = disturb.with_foreign_clips(footage, share, others, rng)
    if inserted:
        every = int(rng.integers(LONGEST_INSERTION, MOST_BETWEEN + 1))
        length = int(rng.integers(1, LONGEST_INSERTION + 1))
        others = [stranger(rng) for _ in range(4)]
        footage = disturb.with_insertions(footage, every, length, others, rng)
    return footage


def _of_grain(
    footage: Footage, grain: Grain, rng: np.random.Generator, stranger: Stranger
) -> Footage:
    if grain.short:
        return disturb.with_short_clips(footage)
    if grain.long and len(footage) > 1:
        return disturb.with_long_clips(footage)
    if grain.joined and len(footage) < LONGEST_JOINED:
        other = stranger(rng)
        left = min(len(other), LONGEST_JOINED - len(footage))
        first = int(rng.integers(len(other) - left + 1))
        return disturb.among(footage, [other[first : first + left]], int(rng.integers(2)))
    return footage

"""Random seeds: each (seed, epoch, sample) has its own generator.

So a run that resumes after an epoch needs no saved state of the generators.
"""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_of(*numbers: int) -> int:
    """Derive one seed from several numbers; other numbers, or fewer numbers, give another seed."""
    words = (len(numbers), *numbers)  # numpy treats missing numbers as zeros
    (state,) = np.random.SeedSequence(words).generate_state(1, np.uint64).tolist()
    return int(state >> 1)


def seed_everything(*numbers: int) -> None:
    """Seed the generators of python, numpy and torch (all devices)."""
    seed = seed_of(*numbers)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def generator_of(*numbers: int) -> torch.Generator:
    """Make a generator on the CPU, seeded by these numbers."""
    return torch.Generator().manual_seed(seed_of(*numbers))


def of_sample(generator: torch.Generator, index: int) -> torch.Generator:
    """Make the generator of one sample of a batch, from the batch's seed and the sample's index."""
    return generator_of(generator.initial_seed(), index)


def shuffled(samples: int, seed: int, epoch: int) -> list[int]:
    """Return the order of the samples in an epoch."""
    order: list[int] = torch.randperm(samples, generator=generator_of(seed, epoch)).tolist()
    return order

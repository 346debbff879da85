"""Random chains, rates and fields for the fusion's tests."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from rdmf_cli.fusion import Rates

TURING = Rates(D_u=0.4, D_v=0.025, F=0.06, k=0.05)  # unstable to a pattern at r = u0 = 1
BISTABLE = Rates(D_u=0.2, D_v=0.2, F=0.06, k=0.03)  # the active state is stable
PULSES = Rates(D_u=0.4, D_v=0.1, F=0.04, k=0.057)  # Gray-Scott pulses that replicate


@st.composite
def rates(draw: st.DrawFn, channels: int) -> Rates:
    """Draw rates over six decades, and any dt, within the limits of the scheme."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)

    def decades() -> np.ndarray:
        return 10.0 ** rng.uniform(-4, 2, channels)

    dt = decades()
    a_u, a_v = rng.uniform(0.0, 0.5, (2, channels))
    return Rates(D_u=a_u / dt, D_v=a_v / dt, F=decades(), k=decades(), dt=dt)


class Case:
    """Random fields (B, C, L) with padding and edge weights."""

    def __init__(self, seed: int, channels: int, length: int, batch: int = 2):
        rng = np.random.default_rng(seed)
        shape = (batch, channels, length)
        self.u, self.v, self.u0 = rng.random((3, *shape))
        self.v = self.v * 10.0 ** rng.uniform(-3, 1, (batch, channels, 1))
        self.r = 10.0 ** rng.uniform(-3, 2, shape)
        self.mask = rng.random((batch, 1, length)) > 0.2
        self.edges = rng.random((batch, 1, max(length - 1, 0)))
        self.edges[rng.random(self.edges.shape) < 0.2] = 0.0


@st.composite
def cases(draw: st.DrawFn, channels: int = 3) -> Case:
    """Chains of 1 to 60 clips."""
    return Case(draw(st.integers(0, 2**32 - 1)), channels, draw(st.integers(1, 60)))


def cosine(q: int, length: int) -> np.ndarray:
    """Return mode q of the chain without flux at its ends."""
    return np.cos(np.pi * q * (np.arange(length) + 0.5) / length)


def lit_runs(v: np.ndarray, level: float = 0.1) -> int:
    """Return how many separate stretches of the chain are active."""
    above = np.concatenate([[False], v > level])
    return int(np.sum(above[1:] & ~above[:-1]))

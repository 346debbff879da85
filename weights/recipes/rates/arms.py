"""The arms of the search: how each arm fuses, and how its settings are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdmf_cli.channels.change import edge_weights
from rdmf_cli.fusion import threshold
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.heads.training_free.field import fuse, match
from rdmf_cli.heads.training_free.rates import FusionRates
from recipes.rates.data import Split

Setting = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """One way from similarity to a pattern (Q, C, L), and the distribution of its settings."""

    pattern: Callable[[Split, Setting], np.ndarray]
    draw: Callable[[np.random.Generator], Setting]
    smooths_similarity: bool  # the unit of its pattern is standard deviations, as for similarity


def reacting(split: Split, setting: Setting) -> np.ndarray:
    pattern: np.ndarray = fuse(split.z, split.change, split.mask, fusion_rates(setting)).v
    return pattern


def fusion_rates(setting: Setting) -> FusionRates:
    return FusionRates.model_validate({k: v for k, v in setting.items() if k != "dark"})


LIT_FROM = 2.0
"""In every channel, a clip with this similarity (in deviations) must be able to stay active.

A channel in which every clip becomes extinct would only smooth the similarity.
"""


def draw_reacting(rng: np.random.Generator) -> Setting:
    channels = int(rng.integers(1, 4))
    D_v = log_uniform(rng, 0.02, 0.5, channels)
    ratio = log_uniform(rng, 1, 16, channels)
    setting = {
        "D_v": D_v,
        "D_u": [min(0.5, d * q) for d, q in zip(D_v, ratio, strict=True)],
        "F": log_uniform(rng, 0.003, 0.3, channels),
        "k": log_uniform(rng, 0.01, 0.5, channels),
        "threshold": float(rng.uniform(-0.5, 1.8)),
        "softness": log_uniform(rng, 0.2, 1.5)[0],
        "seed": log_uniform(rng, 0.05, 1)[0],
        "cut": [None, log_uniform(rng, 0.7, 3)[0]][int(rng.random() < 0.8)],
        "steps": round(log_uniform(rng, 4, 40)[0]),
        "dilations": [(1,), (1, 2), (1, 2, 4)][rng.integers(3)],
    }
    margin = log_uniform(rng, 1, 30, channels)
    return {**setting, "reaction": [m * r for m, r in zip(margin, least(setting), strict=True)]}


def least(setting: Setting) -> list[float]:
    """Return the reaction of each channel at which a clip with LIT_FROM just stays active."""
    rates = fusion_rates({**setting, "reaction": setting["F"]})
    reaction: list[float] = (threshold(rates.rates) / match(np.array(LIT_FROM), rates)).tolist()
    return reaction


def diffusing(split: Split, setting: Setting) -> np.ndarray:
    """Return the states of linear diffusion after several numbers of steps, one channel each."""
    z = split.z.astype(np.float32)
    edges = edge_weights(split.change, split.mask, setting["cut"]).astype(np.float32)
    chain = Chain.of(z, mask=split.mask, edges=edges)
    states = [z]
    for _ in range(round(max(setting["steps"]))):
        states.append(states[-1] + np.float32(setting["D"]) * chain.laplacian(states[-1]))
    return np.stack([states[round(n)] for n in setting["steps"]], axis=1)


def draw_diffusing(rng: np.random.Generator) -> Setting:
    channels = int(rng.integers(1, 5))
    return {
        "D": float(rng.uniform(0.05, 0.5)),
        "cut": log_uniform(rng, 0.5, 20)[0],
        "steps": log_uniform(rng, 1, 64, channels),
    }


def smoothing(split: Split, setting: Setting) -> np.ndarray:
    return np.stack([gaussian(split.z, split.mask, sigma) for sigma in setting["sigma"]], axis=1)


def gaussian(z: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """Return (Q, L): the weighted mean over the real clips around each clip."""
    clips = np.arange(z.shape[1])
    kernel = np.exp(-0.5 * ((clips[:, None] - clips) / sigma) ** 2).astype(np.float32)
    weight = mask.astype(np.float32) @ kernel
    return np.where(mask, z.astype(np.float32) @ kernel / np.maximum(weight, 1e-9), 0)


def draw_smoothing(rng: np.random.Generator) -> Setting:
    return {"sigma": log_uniform(rng, 0.3, 8, int(rng.integers(1, 5)))}


def draw_setting(arm: Arm, rng: np.random.Generator) -> Setting:
    return {**arm.draw(rng), "dark": float(rng.uniform(-2, 0))}


def log_uniform(rng: np.random.Generator, low: float, high: float, size: int = 1) -> list[float]:
    values: list[float] = np.exp(rng.uniform(np.log(low), np.log(high), size)).tolist()
    return values


ARMS = {
    "rd": Arm(reacting, draw_reacting, False),
    "diffusion": Arm(diffusing, draw_diffusing, True),
    "gaussian": Arm(smoothing, draw_smoothing, True),
}

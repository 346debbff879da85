"""The fusions of the learned head, by name. This module does not import torch.

To add a fusion, write its class in `heads/learned/torch/` (a `Fusion`, see `torch/fusions.py`), an
entry here, and a line in `docs/model.md`. `rdmf train --fusion`, its help, `ModelConfig` and the
tests in `tests/heads/` then contain the new fusion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdmf_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from rdmf_cli.heads.learned.config import ModelConfig
    from rdmf_cli.heads.learned.torch.fusions import Fusion

    FusionClass = type[Fusion]
else:
    FusionClass = object


def _halo(config: ModelConfig) -> int:
    return config.halo


def _kernel(config: ModelConfig) -> int:
    return config.kernel // 2


def _nothing(config: ModelConfig) -> int:
    return 0


@dataclass(frozen=True)
class FusionEntry(Entry[FusionClass]):
    """A fusion of the registry; `load` returns its class.

    Attributes:
        reach: Number of clips to each side of a clip that one block reads. A longer video is fused
            in windows that overlap by the reach of all blocks. Clips beyond the reach have no
            effect.
    """

    reach: Callable[[ModelConfig], int] = _halo


HERE = "rdmf_cli.heads.learned.torch.fusions"

FUSIONS: Registry[FusionEntry] = Registry(
    "fusion",
    FusionEntry(
        "reaction-diffusion",
        "clips diffuse along time and react with the query",
        f"{HERE}:ReactionDiffusionFusion",
    ),
    # Attention and recurrence have no limit of their own, so in a longer video they have the reach
    # of reaction-diffusion.
    FusionEntry(
        "joint-attention", "clips and words attend to all clips and words", f"{HERE}:JointAttention"
    ),
    FusionEntry(
        "cross-attention", "clips attend to words, then to clips", f"{HERE}:CrossAttention"
    ),
    FusionEntry(
        "gated-recurrence",
        "a gated linear recurrence reads the clips in both directions, as in Mamba-2",
        f"{HERE}:GatedRecurrence",
    ),
    FusionEntry("none", "no exchange between clips", f"{HERE}:NoFusion", _nothing),
    FusionEntry(
        "gaussian", "clips are smoothed by fixed kernels", f"{HERE}:GaussianFusion", _kernel
    ),
    FusionEntry(
        "convolution",
        "clips are smoothed by learned kernels",
        f"{HERE}:ConvolutionFusion",
        _kernel,
    ),
)

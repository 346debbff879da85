"""AdamW with weight decay for matrices and kernels only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from rdmf_cli.training.options import TrainingOptions

NORMS = (nn.LayerNorm, nn.RMSNorm)  # norms with weights that may have more than one dimension


def adamw(model: nn.Module, options: TrainingOptions) -> torch.optim.AdamW:
    """Make the optimizer of a model, with the groups of `decay_groups`."""
    return torch.optim.AdamW(decay_groups(model, options.weight_decay), lr=options.rate)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Divide the trained parameters into two groups, with and without weight decay.

    Biases, the weights of norms and one-dimensional parameters (rates, scales) have no weight
    decay.
    """
    named = list(_decay_by_parameter(model))
    return [
        {"params": [p for p, decays in named if decays], "weight_decay": weight_decay},
        {"params": [p for p, decays in named if not decays], "weight_decay": 0.0},
    ]


def _decay_by_parameter(model: nn.Module) -> Iterator[tuple[nn.Parameter, bool]]:
    """Yield each trained parameter once, in the model's order, and whether it has weight decay."""
    seen: set[nn.Parameter] = set()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter in seen or not parameter.requires_grad:
                continue
            seen.add(parameter)
            spared = parameter.ndim < 2 or name.endswith("bias") or isinstance(module, NORMS)
            yield parameter, not spared

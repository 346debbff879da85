"""Reaction-diffusion fusion: arrays in, arrays out.

Fields have shape (..., C, L): channels, then clips. Functions take numpy arrays or torch tensors
and return the same kind. Only `rdmf_cli.fusion.module` and the kernels import torch.
"""

from typing import TYPE_CHECKING

from rdmf_cli.fusion.operators import diffuse, laplacian, span_edges
from rdmf_cli.fusion.reaction import Drive, Fields, Rates, StepRates, gray_scott, react
from rdmf_cli.lazy import lazily, listed

if TYPE_CHECKING:
    from rdmf_cli.fusion.stability import (
        Analysis,
        Regime,
        RegimeName,
        amplification,
        analyze,
        dispersion,
        eigenvalues,
        jacobian,
        steady_states,
        step_jacobian,
        threshold,
        turing,
        wave_numbers,
    )
    from rdmf_cli.fusion.steppers import STEPPERS, evolve
    from rdmf_cli.fusion.streaming import Stream

__all__ = [
    "STEPPERS",
    "Analysis",
    "Drive",
    "Fields",
    "Rates",
    "Regime",
    "RegimeName",
    "StepRates",
    "Stream",
    "amplification",
    "analyze",
    "diffuse",
    "dispersion",
    "eigenvalues",
    "evolve",
    "gray_scott",
    "jacobian",
    "laplacian",
    "react",
    "span_edges",
    "steady_states",
    "step_jacobian",
    "threshold",
    "turing",
    "wave_numbers",
]

_HOMES = {
    **dict.fromkeys(
        (
            *("Analysis", "Regime", "RegimeName", "amplification", "analyze", "dispersion"),
            *("eigenvalues", "jacobian", "steady_states", "step_jacobian", "threshold", "turing"),
            "wave_numbers",
        ),
        "rdmf_cli.fusion.stability",
    ),
    **dict.fromkeys(("STEPPERS", "evolve"), "rdmf_cli.fusion.steppers"),
    "Stream": "rdmf_cli.fusion.streaming",
}

__getattr__ = lazily(__name__, _HOMES)
__dir__ = listed(__name__, _HOMES)

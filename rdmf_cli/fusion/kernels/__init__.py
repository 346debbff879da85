"""Faster ways through the same Patankar steps, for torch; `BACKENDS` names them.

reference: the plain steps of `steppers`, one tensor operation after another. What the others must
           equal; also what runs while a model is exported or compiled.
tiled:     the CPU's fast path (see `tiled`).
triton:    the GPU's: all steps of a tile in one launch (see `tiled_triton`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion.kernels import tiled
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.fusion.reaction import Drive, Fields, StepRates
from rdmf_cli.fusion.steppers import STEPPERS


def reference(fields: Fields, drive: Drive, rates: StepRates, chain: Chain, steps: int) -> Fields:
    """The plain path: autograd keeps every intermediate of every step."""
    for _ in range(steps):
        fields = STEPPERS["patankar"].step(fields, drive, rates, chain)
    return fields


def _tiled(fields: Fields, drive: Drive, rates: StepRates, chain: Chain, steps: int) -> Fields:
    link, dilation = _only(chain)
    return Fields(*tiled.evolve(*fields, *drive, rates, link, steps, dilation))


def _triton(fields: Fields, drive: Drive, rates: StepRates, chain: Chain, steps: int) -> Fields:
    from rdmf_cli.fusion.kernels import tiled_triton

    link, dilation = _only(chain)
    return Fields(*tiled_triton.evolve(*fields, *drive, rates, link, steps, dilation))


def _only(chain: Chain) -> tuple[Tensor | None, int]:
    (link,), (dilation,) = chain.links, chain.dilations
    return link, dilation


Backend = Callable[[Fields, Drive, StepRates, Chain, int], Fields]

BACKENDS: dict[str, Backend] = {"reference": reference, "tiled": _tiled, "triton": _triton}


def run(
    backend: str, fields: Fields, drive: Drive, rates: StepRates, chain: Chain, steps: int
) -> Fields:
    """The fields (B, C, L) after all steps, by the backend named or, with "auto", the fastest.

    rates: (C, 1). chain: of one dilation. A gradient of the edge weights is known to the reference
    alone, so "auto" takes it where they want one.
    """
    if backend == "auto":
        backend = _fastest(fields.v, chain)
    if backend not in BACKENDS:
        raise RdmfError("no such backend", backend, f"take auto, {', '.join(BACKENDS)}")
    return BACKENDS[backend](fields, drive, rates, chain, steps)


def _fastest(v: Tensor, chain: Chain) -> str:
    weighted = any(link is not None and link.requires_grad for link in chain.links)
    if weighted or _is_traced():
        return "reference"
    if v.device.type == "cpu":
        return "tiled"
    return "triton" if v.device.type == "cuda" and has_triton() else "reference"


def _is_traced() -> bool:
    return torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.onnx.is_in_onnx_export()


def has_triton() -> bool:
    """Whether a Triton with the functions the kernel uses is installed."""
    try:
        import triton.language as tl
    except ImportError:
        return False
    return hasattr(tl, "gather")

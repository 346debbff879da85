"""Backends: faster ways to compute the same Patankar steps in torch. `BACKENDS` names them.

reference: the plain steps of `steppers`, one tensor operation after another. The other backends
           must give the same results. It also runs while a model is exported or compiled.
tiled:     the fast backend for the CPU (see `tiled`).
triton:    the fast backend for the GPU (see `tiled_triton`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rdmf_cli.errors import RdmfError
from rdmf_cli.fusion.kernels import tiled
from rdmf_cli.fusion.operators import Chain
from rdmf_cli.fusion.reaction import Drive, Fields, StepRates
from rdmf_cli.fusion.steppers import STEPPERS


class Group(NamedTuple):
    """A group of consecutive channels that have the same dilation."""

    channels: slice
    chain: Chain

    @property
    def link(self) -> Tensor | None:
        """The edge weights (B or 1, 1, L - d); None: all weights are 1."""
        return self.chain.links[0]

    @property
    def dilation(self) -> int:
        """Distance in clips between a clip and the neighbours that it exchanges with."""
        return self.chain.dilations[0]

    def of_video(self, video: int, channels: int) -> Group:
        """Return the group of one video where the C `channels` of each video follow each other."""
        first = video * channels
        own = slice(first + self.channels.start, first + self.channels.stop)
        links = tuple(
            x if x is None or len(x) == 1 else x[video : video + 1] for x in self.chain.links
        )
        return Group(own, Chain(self.chain.dilations, links))


Backend = Callable[[Fields, Drive, StepRates, Sequence[Group], int], Fields]
Single = Callable[[Fields, Drive, StepRates, Chain, int], Fields]


def _one_by_one(single: Single) -> Backend:
    """Make a backend from a function that computes one group at a time."""

    def run(
        fields: Fields, drive: Drive, rates: StepRates, groups: Sequence[Group], steps: int
    ) -> Fields:
        parts = []
        for channels, chain in groups:
            u, v, u0, r = (x[:, channels] for x in (*fields, *drive))
            own = StepRates(*(rate[..., channels, :] for rate in rates))
            parts.append(single(Fields(u, v), Drive(u0, r), own, chain, steps))
        if len(parts) == 1:
            return parts[0]
        return Fields(*(torch.cat(field, 1) for field in zip(*parts, strict=True)))

    return run


def _plain(fields: Fields, drive: Drive, rates: StepRates, chain: Chain, steps: int) -> Fields:
    for _ in range(steps):
        fields = STEPPERS["patankar"].step(fields, drive, rates, chain)
    return fields


def _gpu_tiles(fields: Fields, drive: Drive, rates: StepRates, chain: Chain, steps: int) -> Fields:
    from rdmf_cli.fusion.kernels import tiled_triton

    (link,), (dilation,) = chain.links, chain.dilations
    return Fields(*tiled_triton.evolve(*fields, *drive, rates, link, steps, dilation))


def _tiled(
    fields: Fields, drive: Drive, rates: StepRates, groups: Sequence[Group], steps: int
) -> Fields:
    links = [(_width(group.channels), group.dilation, group.link) for group in groups]
    return Fields(*tiled.evolve(*fields, *drive, rates, links, steps))


def _width(channels: slice) -> int:
    return int(channels.stop - channels.start)


BACKENDS: dict[str, Backend] = {
    "reference": _one_by_one(_plain),
    "tiled": _tiled,
    "triton": _one_by_one(_gpu_tiles),
}


def run(
    backend: str,
    fields: Fields,
    drive: Drive,
    rates: StepRates,
    groups: Sequence[Group],
    steps: int,
) -> Fields:
    """Run all steps with a backend.

    Args:
        backend: a name in `BACKENDS`, or "auto": the fastest backend. Only the reference computes
            the gradient of the edge weights, so "auto" takes the reference if this gradient is
            needed.
        fields: u and v, (B, C, L) each.
        drive: u0 and r, (B, C, L) each.
        rates: rates per step, (C, 1) each; or (B, C, 1) each, for rates that differ from video to
            video.
        groups: the groups of channels, in order; together they hold all channels.
        steps: number of steps.

    Returns:
        u and v after all steps, (B, C, L) each.

    Raises:
        RdmfError: the backend is unknown.
    """
    if backend == "auto":
        backend = _fastest(fields.v, groups)
    if backend not in BACKENDS:
        raise RdmfError("unknown backend", backend, f"choose auto, {', '.join(BACKENDS)}")
    if rates.dt.ndim == 3 and backend != "reference":
        return _side_by_side(BACKENDS[backend], fields, drive, rates, groups, steps)
    return BACKENDS[backend](fields, drive, rates, groups, steps)


def _side_by_side(
    run: Backend,
    fields: Fields,
    drive: Drive,
    rates: StepRates,
    groups: Sequence[Group],
    steps: int,
) -> Fields:
    """Run the videos of a batch as groups of channels of one video: each may have its own rates."""
    B, C, L = fields.v.shape
    joined = [x.reshape(1, B * C, L) for x in (*fields, *drive)]
    own = [group.of_video(video, C) for video in range(B) for group in groups]
    columns = StepRates(*(rate.reshape(B * C, 1) for rate in rates))
    after = run(Fields(*joined[:2]), Drive(*joined[2:]), columns, own, steps)
    return Fields(*(x.reshape(B, C, L) for x in after))


def _fastest(v: Tensor, groups: Sequence[Group]) -> str:
    weighted = any(group.link is not None and group.link.requires_grad for group in groups)
    if weighted or _is_traced():
        return "reference"
    if v.device.type == "cpu":
        return "tiled"
    return "triton" if v.device.type == "cuda" and has_triton() else "reference"


def _is_traced() -> bool:
    return bool(
        torch.compiler.is_compiling() or torch.jit.is_tracing() or torch.onnx.is_in_onnx_export()
    )


def has_triton() -> bool:
    """Check whether Triton is installed and has the functions that the kernels use."""
    try:
        import triton.language as tl
    except ImportError:
        return False
    return hasattr(tl, "gather")

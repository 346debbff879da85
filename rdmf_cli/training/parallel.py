"""Several processes that train as one: each takes its share of every batch.

    torchrun --nproc-per-node 4 -m rdmf_cli train ...

Gradients are summed in one piece, each weighted by its share of the samples, so the result is that
of one process up to rounding, however uneven the shares are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rdmf_cli.devices import device_named
from rdmf_cli.errors import UsageError
from rdmf_cli.training.processes import rank, started

T = TypeVar("T")

WAIT = timedelta(minutes=30)  # the others wait while the first process scores and saves


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """The one process that scores, writes and shows."""
        return self.rank == 0

    def check_shares(self, smallest: int) -> None:
        """UsageError where a batch of `smallest` samples leaves a process with none.

        (The last batch of an epoch may: by then each process knows what losses there are.)
        """
        if smallest < self.count:
            raise UsageError(
                f"{self.count} processes cannot share batches of {smallest} samples",
                todo="start fewer processes, or give more samples or a larger batch size",
            )

    def share(self, indices: Sequence[int]) -> Sequence[int]:
        """This process's part of a batch; shares differ by one sample at most."""
        return indices[self.rank :: self.count]

    def from_first(self, make: Callable[[], T]) -> T:
        """What the first process makes, in all of them."""
        if self.count == 1:
            return make()
        box = [make() if self.first else None]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]  # type: ignore[return-value]

    def sum(self, numbers: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Sums the gradients in place, and the numbers (n,), over all processes.

        A parameter that no process has a gradient for keeps none.
        """
        if self.count == 1:
            return numbers
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        used = numbers.new_tensor([float(p.grad is not None) for p in parameters])
        flat = torch.cat([part.reshape(-1) for part in (numbers, used, *grads)])
        dist.all_reduce(flat)
        sizes = [len(numbers), len(used), *(p.numel() for p in parameters)]
        numbers, used, *sums = flat.split(sizes)
        for parameter, total, users in zip(parameters, sums, used.tolist(), strict=True):
            parameter.grad = total.view_as(parameter).to(parameter.dtype) if users else None
        return numbers


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """The processes that torchrun started, joined until the end; without it, this one alone.

    device: as typed; with several GPUs each process takes its own
    """
    count = started()
    if count == 1:
        yield Processes(device_named(device))
        return
    own = _own_device(device)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=WAIT)
    try:
        yield Processes(own, rank(), count)
    finally:
        dist.destroy_process_group()


def _own_device(name: str) -> torch.device:
    device = device_named(name)
    if device.type != "cuda":
        return device
    own = device_named(f"cuda:{os.environ.get('LOCAL_RANK', 0)}")
    torch.cuda.set_device(own)
    return own

"""Several processes that train as one: each process takes its share of every batch.

    torchrun --nproc-per-node 4 -m rdmf_cli train ...

Gradients are summed, each weighted by its share of the samples. So the result equals the result of
one process up to rounding, even if the shares differ.
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

WAIT = timedelta(minutes=30)  # longest wait while the first process scores and saves


@dataclass(frozen=True)
class Processes:
    """Hold this process and the number of processes that train together."""

    device: torch.device
    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the main process (rank 0), which scores, writes and prints."""
        return self.rank == 0

    def check_shares(self, smallest: int) -> None:
        """Check that a batch of `smallest` samples gives each process at least one sample.

        (The last batch of an epoch may be smaller: by then each process knows the names of the
        losses.)

        Raises:
            UsageError: a process would have no sample.
        """
        if smallest < self.count:
            raise UsageError(
                f"{self.count} processes cannot share batches of {smallest} samples",
                todo="start fewer processes, or give more samples or a larger batch size",
            )

    def share(self, indices: Sequence[int]) -> Sequence[int]:
        """Return this process's part of a batch; parts differ by at most one sample."""
        return indices[self.rank :: self.count]

    def from_first(self, make: Callable[[], T]) -> T:
        """Run `make` in the first process, and return its result in all processes."""
        if self.count == 1:
            return make()
        box = [make() if self.first else None]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]  # type: ignore[return-value]

    def sum(self, numbers: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Sum the gradients, in place, and some numbers over all processes.

        A parameter that has no gradient in any process gets no gradient.

        Args:
            numbers: (n,) numbers to sum as well.
            parameters: the parameters with the gradients to sum.

        Returns:
            (n,) sums of the numbers.
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
    """Join the processes that torchrun started; without torchrun, there is only this process.

    Args:
        device: as in `TrainingOptions`; with several GPUs, each process takes its own GPU.

    Yields:
        This process, with the number of all processes.
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

"""A task that trains in a moment: a small convolution learns to smooth noisy sequences.

As a program it trains a task, for tests that end processes: toy_task.py OUT OPTIONS-AS-JSON
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rdmf_cli.interrupts import leave
from rdmf_cli.training import TrainingOptions
from rdmf_cli.training.loop import Result, train
from rdmf_cli.training.seeds import of_sample

LENGTH = 12
OPTIONS = {
    "epochs": 4,
    "batch_size": 8,
    "rate": 0.02,
    "device": "cpu",
    "precision": "float32",
    "log_interval": 1,
    "ema": 0.9,
}


def options(**changes: Any) -> TrainingOptions:
    return TrainingOptions(**{**OPTIONS, **changes})


class Smoother(nn.Module):
    """(B, 1, LENGTH) to (B, LENGTH)."""

    def __init__(self, dropout: float):
        super().__init__()
        self.mix = nn.Conv1d(1, 6, 3, padding=1)
        self.norm = nn.LayerNorm((6, LENGTH))
        self.read = nn.Linear(6, 1)
        self.scale = nn.Parameter(torch.ones(1))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        lit = self.drop(torch.relu(self.norm(self.mix(x))))
        return self.scale * self.read(lit.mT)[..., 0]


class ToyTask:
    """19 samples: in batches of 8, the last batch of an epoch has three samples."""

    def __init__(
        self,
        samples: int = 19,
        dropout: float = 0.0,
        goals: Sequence[float] = (),
        on_batch: Callable[[int], None] = lambda number: None,
        judged: bool = True,
    ):
        """goals: what `score` says instead of the truth; on_batch: called with 1, 2, … first;
        judged: something is held out.
        """
        self.judged = judged
        torch.manual_seed(5)
        self.model = Smoother(dropout)
        self.clean = torch.randn(samples + 10, LENGTH).cumsum(1) / 3
        self.noise = 0.3 * torch.randn(samples + 10, LENGTH)
        self.samples, self.goals, self.on_batch = samples, list(goals), on_batch
        self.batches = 0
        self.seen: list[list[int]] = []

    def __len__(self) -> int:
        return self.samples

    def batch(self, indices: Sequence[int], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        self.batches += 1
        self.on_batch(self.batches)
        self.seen.append(list(indices))
        rows = torch.as_tensor(indices)
        noise = torch.stack(
            [torch.randn(LENGTH, generator=of_sample(generator, index)) for index in indices]
        )
        return (self.clean + self.noise)[rows] + 0.1 * noise, self.clean[rows]

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        noisy, clean = batch
        made = self.model(noisy[:, None])
        square = (made - clean).square().mean()
        slope = (made - clean).diff(dim=1).abs().mean()
        return {"total": square + 0.1 * slope, "square": square, "slope": slope}

    def score(self, model: nn.Module) -> dict[str, float]:
        assert not model.training
        assert not torch.is_grad_enabled()
        if not self.judged:
            return {}
        held_out = slice(self.samples, None)
        made = model((self.clean + self.noise)[held_out, None])
        error = (made - self.clean[held_out]).square().mean().item()
        return {"goal": self.goals.pop(0) if self.goals else -error, "error": error}

    def report(self, model: nn.Module) -> dict[str, Any]:
        return {"scale": round(model.scale.item(), 6)}


def weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in a best.pt."""
    return torch.load(path, weights_only=True)["model"]


def log_lines(folder: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the lines of the log without times."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("seconds", None)
    return [line for line in lines if kind in (None, line["kind"])]


def same_result(one: Result, other: Result) -> bool:
    """Check that two results are equal bit for bit, except for times and folder."""
    mine, others = weights(one.checkpoint), weights(other.checkpoint)
    told = ("best_epoch", "scores", "epochs", "report")
    return all(getattr(one, name) == getattr(other, name) for name in told) and all(
        torch.equal(mine[name], others[name]) for name in mine
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    changes = json.loads(sys.argv[2])
    pause = changes.pop("pause", 0)  # seconds per batch, so that a test can kill the process
    die_at = changes.pop("die_at", None)  # the batch at which the process ends

    def before_batch(number: int) -> None:
        time.sleep(pause)
        if number == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    train(ToyTask(on_batch=before_batch), options(**changes), sys.argv[1])
    leave(0)  # as `rdmf train` does

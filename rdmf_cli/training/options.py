"""Options of training, checked once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal, get_args

from pydantic import ConfigDict

from rdmf_cli.errors import UsageError

Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class TrainingOptions:
    """Hold the options of training.

    Attributes:
        epochs: planned passes over the samples; after the last epoch the learning rate is 0.
        batch_size: samples per training step, over all processes together.
        rate: the highest learning rate.
        weight_decay: weight decay of AdamW, for matrices and kernels only.
        warm_up: share of all training steps in which the learning rate rises.
        clip_norm: largest norm of the gradient; a larger gradient is scaled down. None: no limit.
        ema: decay per training step of the averaged weights, which are scored and kept; None: no
            average.
        precision: "bfloat16" computes the losses under autocast; "auto" chooses bfloat16 on GPUs
            that support it, and float32 on a CPU, so that the same command gives the same head on
            any CPU.
        hold_out: share of the videos that is held out from training and chooses the best epoch; 0:
            train on all videos, and keep the last epoch.
        patience: stop after this number of epochs without a better held-out score; 0: never stop
            early.
        seed: seed of all random numbers.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        log_interval: number of training steps from one line of the log to the next.

    Raises:
        UsageError: a value is out of range.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    epochs: int = 6
    batch_size: int = 16
    rate: float = 5e-4
    weight_decay: float = 5e-2
    warm_up: float = 0.1
    clip_norm: float | None = 1.0
    ema: float | None = 0.99
    precision: Precision = "auto"
    hold_out: float = 0.1
    patience: int = 0
    seed: int = 0
    device: str = "auto"
    log_interval: int = 10

    def __post_init__(self) -> None:
        for name, (rule, holds) in RULES.items():
            value = getattr(self, name)
            if value is not None and not holds(value):
                raise UsageError(f"{name} must be {rule}, not {value}")
        if self.patience and not self.hold_out:
            what = "patience needs held-out videos"
            raise UsageError(what, todo="give a hold_out above 0")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values by name, for the log and the state."""
        return asdict(self)


RULES: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "epochs": ("at least 1", lambda n: n >= 1),
    "batch_size": ("at least 1", lambda n: n >= 1),
    "rate": ("above 0", lambda x: 0 < x < float("inf")),
    "weight_decay": ("at least 0", lambda x: 0 <= x < float("inf")),
    "warm_up": ("at least 0 and below 1", lambda x: 0 <= x < 1),
    "clip_norm": ("above 0", lambda x: x > 0),
    "ema": ("at least 0 and below 1", lambda x: 0 <= x < 1),
    "precision": (" or ".join(get_args(Precision)), lambda word: word in get_args(Precision)),
    "hold_out": ("at least 0 and below 1", lambda x: 0 <= x < 1),
    "patience": ("at least 0", lambda n: n >= 0),
    "seed": ("at least 0", lambda n: n >= 0),
    "log_interval": ("at least 1", lambda n: n >= 1),
}

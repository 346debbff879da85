"""The record that `train` returns."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.base import Payload


class LearnedRates(Record):
    """Learned rates of the channels of one block, one dilation and one regime: medians."""

    group: str = Field(description='block and dilation: "1 ±4" is block 1, clips 4 apart')
    regime: str
    channels: int = Field(description="how many there are")
    D_u: float | None
    D_v: float | None
    F: float | None
    k: float | None
    dt: float | None
    r_star: float | None = Field(description="reaction rate from which a clip stays active")
    spacing_seconds: float | None = Field(description="between moments; null: no pattern grows")


class TrainedReport(Record):
    """What the trained head is made of."""

    config: dict[str, Any]
    rates: tuple[LearnedRates, ...]


class Training(Payload):
    """How a training ended."""

    schema_: Literal["rdmf.train/1"] = Field(default="rdmf.train/1", alias="schema")
    best_epoch: int = Field(description="the epoch whose weights are kept, from 1")
    scores: dict[str, float] = Field(description="of that epoch on the held-out videos")
    checkpoint: str = Field(description="file of the best weights, as torch.load reads it")
    epochs: int = Field(description="trained; fewer than planned where it stopped early")
    seconds: float = Field(description="of training, over all runs")
    report: TrainedReport
    model: str = Field(description="folder that --checkpoint takes")

"""The record that `train` returns."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.base import Payload


class LearnedRates(Record):
    """The medians of the learned rates over the channels of one block, dilation and regime."""

    group: str = Field(description='block and dilation: "1 ±4" is block 1, clips 4 apart')
    regime: str
    channels: int = Field(description="number of channels")
    D_u: float | None
    D_v: float | None
    F: float | None
    k: float | None
    dt: float | None
    r_star: float | None = Field(description="lowest reaction rate at which a clip stays active")
    spacing_seconds: float | None = Field(
        description="distance between moments; null: no pattern grows"
    )
    changed: dict[str, float | None] | None = Field(
        default=None,
        description="median relative change of each rate in this training; null: not known",
    )
    regimes_changed: int | None = Field(
        default=None, description="channels whose regime changed in this training"
    )


class PartImportance(Record):
    """How much the loss rises if one part of the head is replaced by its mean over the sample."""

    kind: Literal["input", "fusion"] = Field(
        description="input: a channel or features that the head reads; fusion: a group of channels "
        "of the fusion"
    )
    name: str = Field(description='name of the input; of a group, block and dilation ("1 ±4")')
    rise: float = Field(description="mean rise of the loss")
    error: float | None = Field(
        description="standard error of the rise over batches of eight samples; null: one batch"
    )


class Importances(Record):
    """Which parts of the trained head matter, the most important first."""

    loss: float = Field(
        description="mean loss of the curves (foreground and saliency) of the whole head"
    )
    samples: int = Field(description="number of samples, spread evenly over the data")
    held_out: bool = Field(description="whether the samples were held out of training")
    parts: tuple[PartImportance, ...]


class TrainedReport(Record):
    """The configuration, the learned rates and the importances of the trained head."""

    config: dict[str, Any]
    rates: tuple[LearnedRates, ...]
    importance: Importances | None = Field(default=None, description="null: not measured")


class Training(Payload):
    """The result of a training."""

    schema_: Literal["rdmf.train/1"] = Field(default="rdmf.train/1", alias="schema")
    best_epoch: int = Field(description="the epoch whose weights are kept, from 1")
    scores: dict[str, float] = Field(description="its metrics on the held-out videos")
    checkpoint: str = Field(description="file of the best weights, for torch.load")
    epochs: int = Field(description="number of epochs; fewer than planned if it stopped early")
    seconds: float = Field(description="seconds of training, over all runs")
    report: TrainedReport
    model: str = Field(description="the folder for --checkpoint")


class TrainedRun(Record):
    """The result of one of several runs."""

    name: str = Field(description="its folder within the folder of all runs")
    seed: int
    best_epoch: int | None = Field(description="null: it failed")
    scores: dict[str, float] = Field(description="metrics on the held-out videos")
    model: str | None = Field(description="the folder for --checkpoint")
    error: str | None = Field(description="why it failed; null: it did not")


class TrainedSetting(Record):
    """The runs of one combination of values, which differ in their seeds alone."""

    values: dict[str, Any] = Field(description='the values by "table.name"; empty without a sweep')
    runs: tuple[TrainedRun, ...]
    mean: dict[str, float] = Field(
        description="mean of each metric over the runs that did not fail"
    )
    sd: dict[str, float] = Field(
        description="their sample standard deviation (n - 1); empty for less than two runs"
    )


class Trainings(Payload):
    """The result of several runs: one per seed and combination of values."""

    schema_: Literal["rdmf.trainings/1"] = Field(default="rdmf.trainings/1", alias="schema")
    settings: tuple[TrainedSetting, ...] = Field(description="in the order in which they ran")
    best: int | None = Field(
        description="the setting with the highest mean of the monitored metric, from 0; null: none"
    )
    folder: str = Field(description="the folder of all runs")

"""The record of `rdmf analyze --json`: the analysis of predictions."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from rdmf_cli.outputs.payloads.base import Payload
from rdmf_cli.outputs.payloads.comparison import (
    Count,
    DifferenceRecord,
    FromAttributes,
    Share,
    valid,
)

SCHEMA: Final = "rdmf.analysis/1"


class OracleRecord(FromAttributes):
    """The metrics if the best of the first `within` windows were ranked first, in per cent."""

    within: Count
    mean_iou: float
    recall: dict[str, float] = Field(description="by IoU threshold")


class LossRecord(FromAttributes):
    """A cause of misses, and the gain if only this cause were fixed, in per cent."""

    cause: str
    windows: float | None = Field(description="share of the first ten windows; null for ranking")
    recall: float = Field(description="gain in R1 at the threshold")
    average_precision: float = Field(description="gain in mAP at the threshold")


class GroupRecord(FromAttributes):
    """The metrics over the queries of one group, in per cent."""

    by: str = Field(description="length, position or moments")
    group: str
    queries: Count
    metrics: dict[str, float]


class SpreadRecord(FromAttributes):
    """The distribution of lengths, or positions, of moments and of first windows.

    Lengths and positions are relative to the video, in ten bins of equal width.
    """

    moments: list[Share]
    windows: list[Share]
    distance: Share = Field(description="total variation: 0 equal, 1 nothing in common")


class BiasRecord(FromAttributes):
    """The bias of first windows against true moments."""

    length: SpreadRecord | None
    centre: SpreadRecord | None
    moment_seconds: float = Field(description="median length of the moments")
    window_seconds: float | None = Field(description="median length of the first windows")
    start_late: float | None = Field(description="median of start - true start, in seconds")
    end_late: float | None = Field(description="median of end - true end, in seconds")


class BinRecord(FromAttributes):
    """The first windows with scores between `low` and `high`."""

    low: float
    high: float
    queries: Count
    score: float = Field(description="mean score")
    right: Share = Field(description="share with an IoU at or above the threshold")


class CalibrationRecord(FromAttributes):
    """How well the scores of first windows predict whether they are right."""

    auroc: Share | None = Field(description="null if all windows are right, or none is")
    error: Share | None = Field(
        description="expected calibration error; null if a score is outside [0, 1]"
    )
    bins: list[BinRecord]


class BlindRecord(FromAttributes):
    """The predictions (`other`) compared with windows guessed from the train split (`baseline`)."""

    train: str
    windows: list[list[float]] = Field(description="shares of the video, best first")
    differences: list[DifferenceRecord]


class Analysis(FromAttributes, Payload):
    """The analysis of the errors in one file of predictions."""

    schema_: Literal["rdmf.analysis/1"] = Field(default=SCHEMA, alias="schema")
    dataset: str
    file: str
    queries: Count = Field(description="queries with a moment")
    moments: Count
    threshold: Share = Field(description="lowest IoU at which a window reaches a moment")
    oracle: list[OracleRecord]
    first: dict[str, float] = Field(description="causes of the first windows, per cent of queries")
    losses: list[LossRecord]
    missed: float = Field(description="moments that none of ten windows reaches, per cent")
    groups: list[GroupRecord]
    bias: BiasRecord
    calibration: CalibrationRecord | None = Field(description="null if predictions have no scores")
    blind: BlindRecord | None = Field(description="null if no train split is given")
    notes: list[str]

    @classmethod
    def of(cls, analysis: object) -> Analysis:
        """Make the record of an `evaluation.Analysis`; text becomes valid Unicode."""
        return cls.model_validate_json(valid(cls.model_validate(analysis)))

"""The analysis of predictions as `rdmf analyze --json` prints it."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from rdmf_cli.outputs.comparison import Count, DifferenceRecord, FromAttributes, Share, valid

SCHEMA: Final = "rdmf.analysis/1"


class OracleRecord(FromAttributes):
    """Metrics in per cent if the best of the first `within` windows were always chosen."""

    within: Count
    mean_iou: float
    recall: dict[str, float] = Field(description="by IoU threshold")


class LossRecord(FromAttributes):
    """One cause of misses, and what mending it alone would gain, in per cent."""

    cause: str
    windows: float | None = Field(description="share of the first ten windows; null for ranking")
    recall: float = Field(description="gain in R1 at the threshold")
    average_precision: float = Field(description="gain in mAP at the threshold")


class GroupRecord(FromAttributes):
    """Metrics over the queries of one group, in per cent."""

    by: str = Field(description="length, position or moments")
    group: str
    queries: Count
    metrics: dict[str, float]


class SpreadRecord(FromAttributes):
    """A share of the video among moments and among first windows, in ten bins of equal width."""

    moments: list[Share]
    windows: list[Share]
    distance: Share = Field(description="total variation: 0 alike, 1 nothing in common")


class BiasRecord(FromAttributes):
    """First windows against true moments; seconds, and shares of the video."""

    length: SpreadRecord | None
    centre: SpreadRecord | None
    moment_seconds: float = Field(description="median length of the moments")
    window_seconds: float | None = Field(description="median length of the first windows")
    start_late: float | None = Field(description="median of start - true start, seconds")
    end_late: float | None = Field(description="median of end - true end, seconds")


class BinRecord(FromAttributes):
    """First windows whose scores lie between `low` and `high`."""

    low: float
    high: float
    queries: Count
    score: float = Field(description="mean score")
    right: Share = Field(description="share that reaches the threshold")


class CalibrationRecord(FromAttributes):
    """Scores of first windows against being right."""

    auroc: Share | None = Field(description="null where all are right or none is")
    error: Share | None = Field(description="expected calibration error; null beyond [0, 1]")
    bins: list[BinRecord]


class BlindRecord(FromAttributes):
    """The predictions (`other`) against windows that the train split suggests (`baseline`)."""

    train: str
    windows: list[list[float]] = Field(description="shares of the video, best first")
    differences: list[DifferenceRecord]


class AnalysisRecord(FromAttributes):
    """Where the predictions of one file fall short."""

    schema_: Literal["rdmf.analysis/1"] = Field(default=SCHEMA, alias="schema")
    dataset: str
    file: str
    queries: Count = Field(description="queries with a moment")
    moments: Count
    threshold: Share = Field(description="IoU from which a window reaches a moment")
    oracle: list[OracleRecord]
    first: dict[str, float] = Field(description="what first windows are, per cent of queries")
    losses: list[LossRecord]
    missed: float = Field(description="moments that none of ten windows reaches, per cent")
    groups: list[GroupRecord]
    bias: BiasRecord
    calibration: CalibrationRecord | None = Field(description="null where there are no scores")
    blind: BlindRecord | None = Field(description="null where no train split is given")
    notes: list[str]

    @classmethod
    def of(cls, analysis: object) -> AnalysisRecord:
        """Make the record of an `evaluation.Analysis`; text becomes valid Unicode."""
        return cls.model_validate_json(valid(cls.model_validate(analysis)))

"""The record of `rdmf compare --json`: the comparison of prediction files."""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.base import Payload
from rdmf_cli.text import valid_text

SCHEMA: Final = "rdmf.comparison/1"

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Windows = list[list[float]]


class FromAttributes(Record):
    """A record that can be made from any object with attributes named like its fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, from_attributes=True
    )


class DifferenceRecord(FromAttributes):
    """A metric of both files, in per cent, and the mean difference over queries."""

    metric: str
    queries: Count = Field(description="queries that the metric counts")
    videos: Count = Field(description="videos of those queries, the units that are resampled")
    baseline: float
    other: float
    difference: float = Field(description="other - baseline")
    low: float = Field(description="lower end of the bootstrap interval")
    high: float = Field(description="upper end of the bootstrap interval")
    p_value: Share = Field(description="two-sided, of the permutation test")


class TallyRecord(FromAttributes):
    """Wins and losses of the other file in a group of queries."""

    by: str = Field(description="all, length, position or moments")
    group: str
    queries: Count
    wins: Count
    losses: Count
    ties: Count
    difference: float = Field(description="mean difference in the group, in per cent")


class QueryRecord(FromAttributes):
    """A query on which the files differ; windows are [start, end, score], in seconds."""

    qid: int | str
    query: str
    vid: str
    duration: float | None = Field(description="seconds; null if the annotations do not state it")
    baseline: float
    other: float
    difference: float
    moments: Windows = Field(description="the true moments, [start, end]")
    baseline_windows: Windows
    other_windows: Windows


class AgainstRecord(FromAttributes):
    """One file against the baseline."""

    file: str
    differences: list[DifferenceRecord]
    tallies: list[TallyRecord] = Field(description="by the metric that `metric` names")
    queries: list[QueryRecord] = Field(description="the queries with the greatest difference")


class Comparison(FromAttributes, Payload):
    """The comparison of prediction files, query by query, each with the first file."""

    schema_: Literal["rdmf.comparison/1"] = Field(default=SCHEMA, alias="schema")
    dataset: str
    queries: Count
    videos: Count
    metric: str = Field(description="the metric that decides wins and losses")
    confidence: Share
    resamples: Count
    seed: int
    baseline: str = Field(description="the first file")
    others: list[AgainstRecord]
    notes: list[str]

    @classmethod
    def of(cls, comparison: object) -> Comparison:
        """Make the record of an `evaluation.Comparison`; text becomes valid Unicode."""
        record = cls.model_validate(comparison)
        return cls.model_validate_json(valid(record))


def valid(record: Record) -> str:
    """Write a record as JSON, with invalid Unicode replaced."""
    return valid_text(json.dumps(record.model_dump(by_alias=True), ensure_ascii=False))

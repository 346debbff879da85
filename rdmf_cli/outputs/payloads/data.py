"""The record of `rdmf data stats` and `rdmf data check`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.base import Payload


class Spread(Record):
    """Lowest, median and highest value."""

    low: float
    median: float
    high: float


class SplitNumbers(Record):
    """The numbers of one split."""

    queries: int
    videos: int
    moments: int
    absent: int = Field(description="queries that are nowhere in their video")
    blind: int = Field(description="queries without ground truth")
    duration: Spread | None = Field(description="duration of videos in seconds; null: not stated")
    length: Spread | None = Field(description="length of moments in seconds")
    by_length: tuple[int, int, int] = Field(
        description="moments of at most 10 s, of at most 30 s, and longer"
    )
    by_position: tuple[int, int, int] = Field(
        description="moments whose centre lies in each third of the video"
    )
    moments_per_query: Spread | None
    words: Spread | None = Field(description="words per query")


class StreamNumbers(Record):
    """The features of one stream."""

    videos: int = Field(description="videos that were read")
    width: int | None = Field(description="columns; null: videos differ, or no video was read")
    kind: str = Field(description="type of the numbers")
    clips: Spread | None = Field(description="clips per video")
    norm: Spread | None = Field(description="length of rows (norm)")


class DataFinding(Record):
    """A problem of the dataset."""

    what: str
    examples: tuple[str, ...]
    serious: bool = Field(description="training or evaluation would fail, or be wrong")


class DataReport(Payload):
    """The numbers of a dataset, and its problems."""

    schema_: Literal["rdmf.data/1"] = Field(default="rdmf.data/1", alias="schema")
    dataset: str
    clip_length: float = Field(description="seconds")
    splits: dict[str, SplitNumbers]
    streams: dict[str, StreamNumbers] = Field(description="empty if no features are given")
    findings: tuple[DataFinding, ...]
    notes: tuple[str, ...]

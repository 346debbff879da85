"""The record of a hit of a search, which is written as JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from rdmf_cli.moments.types import Quote, Record, RecordedAt, Seconds, Unit

SCHEMA: Literal["rdmf.hit/1"] = "rdmf.hit/1"


class Hit(Record):
    """A moment in one of the searched videos; rank 1 is the most relevant."""

    schema_: Literal["rdmf.hit/1"] = Field(default=SCHEMA, alias="schema")
    rank: Annotated[int, Field(ge=1)]
    video: str
    query: str = Field(description="the query; for a mixture, its parts with their weights")
    start: Seconds
    end: Seconds
    relevance: Unit = Field(
        description="probability that the moment shows the query; hits are ranked by it"
    )
    convinces: bool = Field(description="whether relevance is at least one half")
    presence: Unit = Field(description="probability that the query is anywhere in the video")
    score: Unit = Field(description="expected IoU of the span, if the query is in the video")
    duration: Seconds = Field(description="length of the video")
    said: tuple[Quote, ...] = Field(
        default=(), description="lines said in the moment that answer the query, by time"
    )
    recorded_at: RecordedAt | None = Field(
        default=None,
        description="date and time at which the start was recorded, in ISO 8601; null: unknown",
    )
    missing: bool = Field(description="whether the file of the video does not exist any more")
    clip_length: Annotated[float, Field(gt=0)]
    encoder: str
    head: str

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )

"""A hit of a search, and its JSON form (the published schema)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from rdmf_cli.moments.types import Record, Seconds, Unit

SCHEMA: Literal["rdmf.hit/1"] = "rdmf.hit/1"


class Hit(Record):
    """A moment of one of the videos that were searched; rank 1 is the most relevant."""

    schema_: Literal["rdmf.hit/1"] = Field(default=SCHEMA, alias="schema")
    rank: Annotated[int, Field(ge=1)]
    video: str
    query: str = Field(description="what was looked for; the parts of a mixture with their weights")
    start: Seconds
    end: Seconds
    relevance: Unit = Field(description="chance that the moment shows the query; hits rank by it")
    convinces: bool = Field(description="whether relevance is at least one half")
    presence: Unit = Field(description="how likely the query is shown in the video at all")
    score: Unit = Field(description="how well the span would fit, if the query is shown")
    duration: Seconds = Field(description="of the video")
    missing: bool = Field(description="true: the video was in the library and its file is gone")
    clip_length: Annotated[float, Field(gt=0)]
    encoder: str
    head: str

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )

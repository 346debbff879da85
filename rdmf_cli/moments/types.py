"""The answer to one query on one video, and its JSON form (the published schema)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from rdmf_cli.errors import RdmfError
from rdmf_cli.text import clock, counted

SCHEMA: Literal["rdmf.answer/1"] = "rdmf.answer/1"

Seconds = Annotated[float, Field(ge=0)]
Unit = Annotated[float, Field(ge=0, le=1)]
RecordedAt = Annotated[
    datetime,
    PlainSerializer(lambda time: time.isoformat(timespec="milliseconds"), when_used="json"),
    WithJsonSchema({"type": "string"}),
]
"""A date and time; in JSON text as in ISO 8601, with the time zone if it is known."""


def later(time: datetime | None, seconds: float) -> datetime | None:
    """Return the time that is some seconds later, rounded to milliseconds; None stays None."""
    try:
        return None if time is None else time + timedelta(milliseconds=round(1000 * seconds))
    except OverflowError:  # after the year 9999
        return None


class Record(BaseModel):
    """Base of the records: immutable, without unknown fields, without NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Quote(Record):
    """A line that is said in a video and answers the query."""

    start: Seconds
    end: Seconds
    text: str
    chance: Unit = Field(description="probability that the line answers the query")


class Moment(Record):
    """A span of the video that answers the query."""

    rank: Annotated[int, Field(ge=1)]
    start: Seconds
    end: Seconds
    score: Unit
    raw_score: float = Field(description="the ranking score before it is mapped to [0, 1]")
    said: tuple[Quote, ...] = Field(
        default=(), description="lines said in the moment that answer the query, by time"
    )
    recorded_at: RecordedAt | None = Field(
        default=None,
        description="date and time at which the start was recorded, in ISO 8601; null: unknown",
    )


class Features(Record):
    """Where the video's features came from."""

    encoder: str
    decoder: str
    clips: Annotated[int, Field(ge=0)]
    cached: bool = Field(description="true: nothing was decoded or encoded for this answer")
    frames_decoded: Annotated[int, Field(ge=0)]
    frames_failed: Annotated[int, Field(ge=0)]


class Answer(Record):
    """Ranked moments (best first), one saliency value per clip, and facts about their computation.

    Clip i covers [offset + i·clip_length, offset + (i+1)·clip_length) seconds of the video.
    """

    schema_: Literal["rdmf.answer/1"] = Field(default=SCHEMA, alias="schema")
    video: str
    query: str = Field(description="the query; for a mixture, its parts with their weights")
    duration: Seconds
    offset: Seconds = Field(default=0.0, description="where the searched part starts, seconds")
    clip_length: Annotated[float, Field(gt=0)]
    head: str
    presence: Unit = Field(
        description="how likely the query is shown (or said) anywhere in the video"
    )
    moments: tuple[Moment, ...]
    saliency: tuple[Unit, ...]
    saliency_raw: tuple[float, ...]
    features: Features
    warnings: tuple[str, ...] = ()
    timings: dict[str, float] = Field(default_factory=dict, description="seconds by stage")

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        populate_by_name=True,
        defer_build=True,
    )

    @property
    def times(self) -> tuple[float, ...]:
        """The start of each clip, in seconds as a player shows them: the x axis of `saliency`."""
        return tuple(self.offset + n * self.clip_length for n in range(len(self.saliency)))

    def to_frame(self) -> Any:
        """Return the moments as a pandas DataFrame, one row per moment, best first.

        Raises:
            RdmfError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise RdmfError("a table needs pandas", todo="pip install pandas") from error
        rows = [moment.model_dump(exclude={"said"}) for moment in self.moments]
        columns = [name for name in Moment.model_fields if name != "said"]
        table = pandas.DataFrame(rows, columns=columns)
        table.insert(0, "video", self.video)
        table.insert(1, "query", self.query)
        return table

    def __repr__(self) -> str:
        """Describe the answer in one line: video, query, presence and the best moment."""
        best = "no moments"
        if self.moments:
            first = self.moments[0]
            span = f"{clock(first.start)} - {clock(first.end)}"
            best = f"{counted(len(self.moments), 'moment')}, best {span} ({first.score:.2f})"
        return f"<Answer {self.video!r} {self.query!r}: presence {self.presence:.2f}, {best}>"

    __str__ = __repr__

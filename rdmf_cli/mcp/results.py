"""The records that the tools return; their schemas are part of the protocol."""

from __future__ import annotations

from pydantic import Field

from rdmf_cli.library.status import LibraryStatus
from rdmf_cli.library.types import Hit
from rdmf_cli.moments.types import Moment, Record, Seconds, Unit


class SearchResult(Record):
    """The moments of many videos that show a query, the most relevant first."""

    hits: tuple[Hit, ...]
    failed: tuple[str, ...] = Field(default=(), description="one error per video that failed")


class QueryResult(Record):
    """The moments of one video that show a query, best first."""

    video: str
    query: str
    duration: Seconds = Field(description="length of the video")
    presence: Unit = Field(
        description="probability that the query is anywhere in the video; below 0.2: probably not"
    )
    moments: tuple[Moment, ...]
    warnings: tuple[str, ...] = ()


class CutResult(Record):
    """A video file that was written."""

    path: str
    start: float = Field(description="start in the original video, in seconds")
    end: float = Field(description="end in the original video, in seconds")
    notes: tuple[str, ...] = ()


class StatusResult(Record):
    """What the tools may read and write, and the state of the library."""

    folders: tuple[str, ...] = Field(description="folders and videos that may be read")
    videos: int = Field(ge=0, description="number of videos in them")
    cuts: str | None = Field(description="the folder for cut moments; null: cut is not allowed")
    library: LibraryStatus | None = Field(description="null: no library is searched")

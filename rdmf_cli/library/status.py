"""The status of a library, as a record that is written as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from rdmf_cli.library.catalogue import State
from rdmf_cli.library.library import Library
from rdmf_cli.moments.types import Record, Seconds
from rdmf_cli.text import valid_text

Count = Annotated[int, Field(ge=0)]


class Problem(Record):
    """A video whose features are missing or not those of its file."""

    video: str
    state: Literal["stale", "missing", "failed"]
    reason: str = Field(description="why it failed; else empty")


class LibraryStatus(Record):
    """The numbers of videos in a library by their present state."""

    schema_: Literal["rdmf.library/1"] = Field(default="rdmf.library/1", alias="schema")
    library: str = Field(description="its folder")
    encoder: str = Field(description="name of the encoder; empty if nothing is indexed yet")
    clip_length: float | None
    indexed: Count
    stale: Count
    missing: Count
    failed: Count
    clips: Count
    duration: Seconds = Field(description="total length of all searchable videos in seconds")
    problems: tuple[Problem, ...]

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )


def status_of(library: Library) -> LibraryStatus:
    """Check every file of a library and count the states."""
    videos = library.checked_videos()
    counts = Counter(video.state for video in videos)
    settings = library.settings()
    searched = [video for video in videos if video.clips]
    return LibraryStatus(
        library=valid_text(str(library.folder)),
        encoder=settings.get("encoder", ""),
        clip_length=settings.get("clip_length"),
        indexed=counts[State.indexed],
        stale=counts[State.stale],
        missing=counts[State.missing],
        failed=counts[State.failed],
        clips=sum(video.clips for video in searched),
        duration=sum(video.duration for video in searched),
        problems=tuple(
            Problem(
                video=valid_text(video.path),
                state=video.state.value,
                reason=valid_text(video.reason),
            )
            for video in videos
            if video.state is not State.indexed
        ),
    )

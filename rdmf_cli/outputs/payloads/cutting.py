"""The record of a video file that `rdmf cut` wrote, as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rdmf_cli.handover.written import Cut
from rdmf_cli.moments.types import Seconds
from rdmf_cli.outputs.payloads.base import Payload
from rdmf_cli.text import valid_text


class CutFile(Payload):
    """A video file that was written by `rdmf cut`."""

    schema_: Literal["rdmf.cut/1"] = Field(default="rdmf.cut/1", alias="schema")
    file: str
    start: Seconds = Field(
        description="start of its first frame in the original video, in seconds; for a montage: 0"
    )
    end: Seconds = Field(
        description="end of its last frame in the original video; for a montage: its length"
    )
    notes: tuple[str, ...] = Field(description="notes on the file")

    @classmethod
    def of(cls, cut: Cut) -> CutFile:
        """Make the record of a written file."""
        start = max(cut.start, 0.0)
        return cls(file=valid_text(str(cut.path)), start=start, end=cut.end, notes=cut.notes)

"""Records of what lies on this machine: the cache, encoders, what is installed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.base import Payload

Bytes = Annotated[int, Field(ge=0)]


class CacheEntry(Payload):
    """One file of the cache."""

    schema_: Literal["rdmf.cache/1"] = Field(default="rdmf.cache/1", alias="schema")
    video: str | None
    encoder: str | None
    clip_length: float | None = Field(description="seconds")
    duration: float | None = Field(description="of the video, seconds")
    bytes: Bytes
    used: float = Field(description="when it was last used, seconds since the epoch")
    file: str


class CacheSize(Payload):
    """How much room the cache takes."""

    schema_: Literal["rdmf.cache-size/1"] = Field(default="rdmf.cache-size/1", alias="schema")
    bytes: Bytes
    limit_bytes: Bytes = Field(description="above it, the least recently used entries go")


class EncoderEntry(Payload):
    """One encoder."""

    schema_: Literal["rdmf.weights/1"] = Field(default="rdmf.weights/1", alias="schema")
    name: str = Field(description="what --encoder takes")
    here: bool = Field(description="whether it can be used without fetching")
    source: str = Field(description="shipped, fetched, cache (another program's), or empty")
    path: str | None


class Check(Record):
    """One thing that `rdmf doctor` looked at."""

    name: str
    state: Literal["ok", "absent", "failed"] = Field(description="absent: it is optional")
    detail: str


class Diagnosis(Payload):
    """What is installed, and whether it works."""

    schema_: Literal["rdmf.doctor/1"] = Field(default="rdmf.doctor/1", alias="schema")
    checks: tuple[Check, ...]

    @property
    def failed(self) -> bool:
        """Whether something that rdmf needs is missing or does not work."""
        return any(check.state == "failed" for check in self.checks)

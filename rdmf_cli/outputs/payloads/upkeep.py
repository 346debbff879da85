"""Records of the state of this machine: the cache, the encoders, the installation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.base import Payload

Bytes = Annotated[int, Field(ge=0)]


class CacheEntry(Payload):
    """The cached features of one video."""

    schema_: Literal["rdmf.cache/1"] = Field(default="rdmf.cache/1", alias="schema")
    video: str | None
    encoder: str | None
    clip_length: float | None = Field(description="seconds")
    duration: float | None = Field(description="length of the video in seconds")
    bytes: Bytes
    used: float = Field(description="time of the last use, in seconds since the epoch")
    file: str


class CacheSize(Payload):
    """The size of the cache and its limit."""

    schema_: Literal["rdmf.cache-size/1"] = Field(default="rdmf.cache-size/1", alias="schema")
    bytes: Bytes
    limit_bytes: Bytes = Field(description="beyond it, the least recently used entries are removed")
    towers_bytes: Bytes = Field(
        default=0,
        description="size of converted CLIP models and of the kept text tower of the embedded "
        "encoder; they are in the data folder, and the limit does not count them",
    )


class EncoderEntry(Payload):
    """An encoder, and whether it is on this machine."""

    schema_: Literal["rdmf.weights/1"] = Field(default="rdmf.weights/1", alias="schema")
    name: str = Field(description="the name for --encoder")
    here: bool = Field(description="whether its weights are on this machine")
    source: str = Field(description="shipped, fetched, cache (of another program), or empty")
    path: str | None


class Check(Record):
    """One check of `rdmf doctor`."""

    name: str
    state: Literal["ok", "absent", "failed"] = Field(
        description="absent: not installed, but optional"
    )
    detail: str


class Diagnosis(Payload):
    """The result of all checks of the installation."""

    schema_: Literal["rdmf.doctor/1"] = Field(default="rdmf.doctor/1", alias="schema")
    checks: tuple[Check, ...]

    @property
    def failed(self) -> bool:
        """Whether something that rdmf needs is missing or does not work."""
        return any(check.state == "failed" for check in self.checks)

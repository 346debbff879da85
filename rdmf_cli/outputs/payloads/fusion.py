"""The record of a fusion: every channel of the pattern, with its rates and regime."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rdmf_cli.moments.types import Record, Seconds
from rdmf_cli.outputs.payloads.base import Payload


class LevelSet(Record):
    """The spans in which v of a channel is at least `height`."""

    height: float
    spans: tuple[tuple[float, float], ...] = Field(description="[start, end] in seconds")


class Channel(Record):
    """One channel of the fusion: its rates, their regime, and the pattern over L clips."""

    channel: int
    D_u: float
    D_v: float
    F: float
    k: float
    dt: float
    r_star: float | None = Field(
        alias="r*",
        description="lowest reaction rate at which a clip stays active; null: no rate is enough",
    )
    spacing: float | None = Field(description="seconds between moments; null: no pattern grows")
    regime: str
    r: tuple[float, ...] = Field(description="reaction rate of each clip, from the query")
    u: tuple[float, ...]
    v: tuple[float, ...]
    level_sets: tuple[LevelSet, ...]


class Fusion(Payload):
    """The reaction-diffusion pattern of one query on one video."""

    schema_: Literal["rdmf.fuse/1"] = Field(default="rdmf.fuse/1", alias="schema")
    video: str
    query: str
    clip_length: float
    offset: Seconds = Field(description="start of the first clip, in seconds")
    similarity: tuple[float, ...] = Field(description="cosine of each clip and the query")
    channels: tuple[Channel, ...]
    warnings: tuple[str, ...]

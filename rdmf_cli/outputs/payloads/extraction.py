"""The record of an extraction."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from rdmf_cli.features import VideoFeatures
from rdmf_cli.moments.types import Seconds
from rdmf_cli.outputs.payloads.base import Payload
from rdmf_cli.text import valid_text

Count = Annotated[int, Field(ge=0)]


class Extraction(Payload):
    """The features of a video, how they were made, and their file."""

    schema_: Literal["rdmf.extract/1"] = Field(default="rdmf.extract/1", alias="schema")
    video: str
    clips: Count = Field(description="rows of features, one per clip")
    size: Count = Field(description="columns of features")
    clip_length: Annotated[float, Field(gt=0)]
    offset: Seconds = Field(description="start of the first clip, in seconds")
    duration: Seconds = Field(description="length of the whole file, in seconds")
    encoder: str
    decoder: str
    cached: bool = Field(description="true: nothing was decoded or encoded for this")
    frames_decoded: Count
    frames_failed: Count
    warnings: tuple[str, ...]
    file: str | None = Field(description="the file of features in --out")
    timings: dict[str, float] = Field(description="seconds by step")

    @classmethod
    def of(cls, video: Path, features: VideoFeatures, file: Path | None) -> Extraction:
        """Describe the features of a video."""
        clips, size = features.rows.shape
        return cls(
            video=valid_text(str(video)),
            clips=clips,
            size=size,
            clip_length=features.clip_length,
            offset=features.offset,
            duration=features.duration,
            encoder=features.encoder,
            decoder=features.decoder,
            cached=features.cached,
            frames_decoded=features.frames_decoded,
            frames_failed=features.frames_failed,
            warnings=features.warnings,
            file=None if file is None else valid_text(str(file)),
            timings=features.timings,
        )

    @property
    def in_words(self) -> str:
        """One line on the features and their file."""
        how = "cached" if self.cached else f"{self.timings['extract']:.1f} s"
        line = f"{self.video}: {self.clips} clips × {self.size}, {self.encoder} ({how})"
        return line if self.file is None else f"{line} → {self.file}"

"""The weights of the losses and the probabilities of augmentation; works without torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from rdmf_cli.moments.types import Record

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Chance = Annotated[float, Field(ge=0, le=1)]


class Losses(Record):
    """Hold the weight of each loss, and the constants of the losses."""

    foreground: Weight = 1.0
    saliency: Weight = 0.5
    score: Weight = 2.0
    rank: Weight = 0.5
    iou: Weight = 1.0
    ends: Weight = 0.2
    contrast: Weight = 0.3
    presence: Weight = 0.3

    saliency_temperature: Above = 1.5
    rank_temperature: Above = 8.0
    iou_floor: Chance = Field(default=0.45, description="IoU that maps to target 0")
    iou_range: Above = Field(default=0.5, description="IoU range from target 0 to target 1")
    positive: Chance = Field(
        default=0.4,
        description="the ends of a slot are trained if its IoU with a window is above this",
    )


class Augmentation(Record):
    """Hold the probabilities of augmentation."""

    plain_query: Chance = Field(
        default=0.34, description="probability of the query itself in place of a paraphrase"
    )
    backwards: Chance = Field(default=0.5, description="probability of reversing a video")
    cropped: Chance = Field(default=0.3, description="probability of cropping a video")
    thinned: Chance = Field(default=0.5, description="probability of dropping clips")
    most_thinned: Chance = Field(default=0.3, description="largest share of clips to drop")
    mismatched: Chance = Field(
        default=0.25,
        description="probability of adding a negative: the video with another video's query",
    )
    no_background: Chance = Field(default=0.25, description="probability of hiding the evidence")

    repeated: Chance = Field(
        default=0.0, description="probability of repeating clips, as in static footage"
    )
    most_repeated: Chance = Field(default=0.5, description="largest share of clips that repeat")
    foreign: Chance = Field(
        default=0.0, description="probability of replacing clips by clips of other videos"
    )
    most_foreign: Chance = Field(default=0.4, description="largest share of clips to replace")
    inserted: Chance = Field(
        default=0.0, description="probability of inserting parts of other videos"
    )
    short_clips: Chance = Field(
        default=0.0, description="probability of a batch with every clip twice, of half the length"
    )
    long_clips: Chance = Field(
        default=0.0, description="probability of a batch with means of two clips"
    )
    joined: Chance = Field(
        default=0.0, description="probability of a batch with videos joined to parts of others"
    )

    @model_validator(mode="after")
    def _at_most_one_grain(self) -> Augmentation:
        if self.short_clips + self.long_clips + self.joined > 1:
            raise ValueError("the sum of short_clips, long_clips and joined is above 1")
        return self


class Hyperparameters(Losses, Augmentation):
    """Hold the hyperparameters: the weight of each loss, and the probabilities of augmentation."""

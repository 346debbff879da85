"""The weights of the losses and the probabilities of augmentation; without torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rdmf_cli.moments.types import Record

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Chance = Annotated[float, Field(ge=0, le=1)]


class Losses(Record):
    """The weight of each loss, and the constants of the losses."""

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
        default=0.4, description="IoU of a slot with a window above which its ends are trained"
    )


class Augmentation(Record):
    """The probabilities of augmentation."""

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


class Hyperparameters(Losses, Augmentation):
    """How a head is trained: the weight of each loss, and the probabilities of augmentation."""

"""`ModelConfig`: the configuration of a learned head, kept beside its weights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from rdmf_cli.channels.channels import CHANNELS, CUT
from rdmf_cli.channels.question import FeatureSpace
from rdmf_cli.errors import RdmfError, first_problem
from rdmf_cli.heads.learned.fusions import FUSIONS
from rdmf_cli.moments.types import Record

if TYPE_CHECKING:
    from pathlib import Path

HeadKind = Literal["universal", "full"]


def _fusion(name: str) -> str:
    if name not in FUSIONS:
        raise ValueError(f"no such fusion; choose one of: {FUSIONS.names()}")
    return name


FusionKind = Annotated[str, AfterValidator(_fusion)]
SlotKind = Literal["pattern", "random"]
PatternKind = Literal["linear", "reaction", "both"]
RatesKind = Literal["shared", "query"]

Count = Annotated[int, Field(ge=1, le=8192)]
Few = Annotated[int, Field(ge=1, le=64)]
Columns = Annotated[int, Field(ge=1, le=65_536)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]

MOST_CHANNELS = 65_536  # in all blocks together

SHORT, LONG = 10.0, 30.0
"""Seconds. Moments up to SHORT are short, moments above LONG are long (QVHighlights' ranges)."""

SCALES = ("any", "short", "middle", "long")
"""Names of the curves of the pattern: for moments of any length, or of one range of lengths."""


class ModelConfig(Record):
    """Configuration of a learned head.

    With the configuration and the weights, the network can be built again.

    >>> ModelConfig(head="universal", fusion="none").model_dump_json()
    """

    head: HeadKind = "universal"
    fusion: FusionKind = "reaction-diffusion"
    slots: SlotKind = "pattern"

    # the features that the head was trained on
    channels: Annotated[tuple[str, ...], Field(max_length=64)] = CHANNELS
    encoder: str | None = Field(
        default=None, description="name of the encoder of its features; null: not known"
    )
    clip_length: Positive = Field(default=2.0, description="clip length in training, seconds")
    video_width: Columns | None = Field(default=None, description="full head: columns of a clip")
    sentence_width: Columns | None = Field(
        default=None, description="full head: columns of a sentence that shares a space with clips"
    )
    words_width: Columns | None = Field(default=None, description="full head: columns of a word")
    matching: tuple[int, int] | None = Field(
        default=None, description="full head: the clip's columns in the sentence's space, [a, b)"
    )

    # fusion
    width: Count = 64
    blocks: Few = 2
    fusion_channels: Count = Field(default=64, description="channels of u and v in each block")
    steps: Annotated[int, Field(ge=0, le=10_000)] = 12
    dilations: Annotated[tuple[Count, ...], Field(min_length=1, max_length=64)] = (1, 2, 4, 8)
    turing_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    time: Literal["clips", "seconds"] = Field(
        default="clips",
        description="unit of the fusion's distances, the lags of visual change and the reach of "
        "ends: clips, or seconds, so that clips of another length give the same answers",
    )
    pattern: PatternKind = Field(
        default="linear",
        description="what the curves of the pattern and the saliency are: a linear reading of the "
        "features, the v of small reacting fields, or the sum of both",
    )
    pool: bool = Field(
        default=False, description="all clips share one supply of u: a global inhibitor"
    )
    rates: RatesKind = Field(
        default="shared", description="full head: one set of rates for all queries, or per query"
    )
    cut: Positive = Field(
        default=CUT,
        description="visual change at which half of the diffusion passes, in units of visual "
        "change",
    )
    heads: Few = Field(default=4, description="attention heads")
    taps: Count = Field(default=33, description="longest kernel of a convolution, in clips")
    projection: Count = Field(
        default=32, description="full head: width that clips and sentence are projected to"
    )
    metric: Count = Field(default=192, description="full head: hidden width of the metric")

    # slots and their decoder
    levels: Annotated[int, Field(ge=1, le=256)] = 12
    most_slots: Count = 96
    anchors: Count = Field(default=32, description="random slots: number of learned slots")
    bins: Count = Field(default=8, description="pooling bins inside a slot; four more around it")
    slot_features: Count = 32
    slot_width: Count = 128
    decoder_layers: Annotated[int, Field(ge=0, le=64)] = 1
    decoder_dropout: Share = 0.1
    reach_clips: Positive = Field(
        default=1.0, description="pattern slots: clips by which an end may move"
    )
    reach_widths: Positive = Field(
        default=1.0, description="random slots: widths of the slot by which an end may move"
    )

    dropout: Share = 0.1
    input_dropout: Share = 0.3

    # the answer
    overlap: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.85,
        description="benchmark: lowest IoU of two moments at which the worse is dropped",
    )
    redundancy: Annotated[float, Field(ge=0)] = Field(
        default=0.6,
        description="score lost for repeating a better moment, times their IoU ** steepness",
    )
    steepness: Annotated[float, Field(ge=1)] = 4.0

    @model_validator(mode="after")
    def _fits_together(self) -> ModelConfig:
        if self.slot_width % self.heads:
            raise ValueError(
                f"slot_width {self.slot_width} is not a multiple of heads {self.heads}"
            )
        if self.blocks * self.fusion_channels > MOST_CHANNELS:
            raise ValueError(f"blocks times fusion_channels is more than {MOST_CHANNELS}")
        if self.fusion_channels < len(self.dilations):
            raise ValueError("fusion_channels must be at least the number of dilations")
        if self.head == "full" and (self.video_width is None or self.words_width is None):
            raise ValueError("a full head needs video_width and words_width")
        if self.head == "full" and (self.matching is None) != (self.sentence_width is None):
            raise ValueError("give both matching and sentence_width, or neither")
        return self

    @property
    def full(self) -> bool:
        """Whether the head also reads the features of clips, sentence and words."""
        return self.head == "full"

    @property
    def kernel(self) -> int:
        """Return the odd length of a convolution kernel in clips; its reach is at most `halo`."""
        return min(2 * self.halo + 1, self.taps - 1 + self.taps % 2)

    @property
    def reach(self) -> int:
        """Return how many clips to each side of a clip the fusion reads, through all blocks.

        A pool (`pool`) has no reach: it is shared by all clips that are fused at once.
        """
        own = 0 if self.pattern == "linear" else self.halo
        return self.blocks * FUSIONS[self.fusion].reach(self) + own

    def stretch(self, clip_length: float) -> float:
        """Return how many clips of this length in seconds count as one clip of training.

        The number is 1 if the head counts distances in clips.
        """
        return self.clip_length / clip_length if self.time == "seconds" else 1.0

    @property
    def halo(self) -> int:
        """Number of clips to each side of a clip that one block of reaction-diffusion reads."""
        return self.steps * max(self.dilations)


OTHER_FEATURES = "give features of its encoder, or use a universal head"


def require_space(config: ModelConfig, space: FeatureSpace, path: Path | None = None) -> None:
    """Check that a head with this configuration can read features of this space.

    Args:
        config: the configuration of the head.
        space: the widths of the features.
        path: a file of the features, for errors; None: unknown.

    Raises:
        RdmfError: the head is a full head, and the features are from another encoder or have other
            widths.
    """
    if not config.full:
        return
    if config.encoder and space.encoder and config.encoder != space.encoder:
        what = f"this head was trained on features of {config.encoder}, not of {space.encoder}"
        raise RdmfError(what, path, ASK_WITH.format(config.encoder))
    wanted, given = _own_space(config), space._replace(encoder=None)
    if space.words is None:
        wanted = wanted._replace(words=None)
    if wanted != given:
        what = f"this head was trained on features of {_named(wanted)}, these have {_named(given)}"
        raise RdmfError(what, path, OTHER_FEATURES)


ASK_WITH = "give --encoder {}, or use a universal head"


def _own_space(config: ModelConfig) -> FeatureSpace:
    assert config.video_width is not None
    return FeatureSpace(
        None, config.video_width, config.words_width, config.sentence_width, config.matching
    )


def _named(space: FeatureSpace) -> str:
    sentence = f"sentences of {space.sentence}" if space.sentence else "no sentences"
    words = "" if space.words is None else f"{space.words} per word, "
    return f"{space.video} columns per clip, {words}{sentence}"


def read_config(
    content: bytes, schema: str, path: Path | str, copy_again: str, export_again: str
) -> ModelConfig:
    """Read and check the configuration in the JSON of a head.

    Args:
        content: JSON with the configuration under "config", and its "schema".
        schema: the schema that the JSON must have.
        path: the name of the file in error messages.
        copy_again: advice for the user if the JSON is damaged or has another schema.
        export_again: advice for the user if the head reads channels that this version does not
            have.

    Raises:
        RdmfError: the JSON is damaged, has another schema, or names other channels.
    """
    try:
        record = json.loads(content)
        if record["schema"] != schema:
            raise RdmfError(
                f"its schema is {str(record['schema'])[:60]}, not {schema}", path, copy_again
            )
        config = ModelConfig.model_validate(record["config"])
    except ValidationError as error:
        raise RdmfError(first_problem(error, "config"), path, copy_again) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RdmfError("not a valid configuration of a head", path, copy_again) from error
    if config.channels != CHANNELS:
        named = ", ".join(config.channels)[:500]
        what = f"it was trained with the channels {named}, but this version has other channels"
        raise RdmfError(what, path, export_again)
    return config

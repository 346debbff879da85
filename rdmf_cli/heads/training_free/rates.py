"""The few numbers the training-free answer runs on: read from `weights/rates.json`, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from rdmf_cli.errors import RdmfError, first_problem
from rdmf_cli.files import MIB, content_of
from rdmf_cli.fusion import Rates
from rdmf_cli.fusion.operators import checked_dilations
from rdmf_cli.moments.types import Record
from rdmf_cli.resources import load_weights, weights_folder

RATES = "rates.json"
SCHEMA: Final = "rdmf.rates/1"

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Numbers = tuple[float, ...]


class FusionRates(Record):
    """How the query reacts with the video; per-channel rates have one number a channel.

    Rates are per step of pseudo-time (dt = 1), distances in clips, `threshold` and `softness` in
    standard deviations of the similarity over the video.
    """

    D_u: tuple[NotNegative, ...] = Field(min_length=1, max_length=256)
    D_v: tuple[NotNegative, ...]
    F: tuple[NotNegative, ...]
    k: tuple[NotNegative, ...]
    reaction: tuple[NotNegative, ...] = Field(description="r of a clip that matches fully")
    threshold: float = Field(description="similarity at which a clip matches by half")
    softness: Positive = Field(description="width of the step from no match to full match")
    seed: NotNegative = Field(description="v(0) of a clip that matches fully")
    cut: Positive | None = Field(
        default=None,
        description="visual change, in units of the video, at which half of the flux passes; "
        "null: diffusion takes no notice of change",
    )
    steps: Annotated[int, Field(ge=0, le=10_000)]
    dilations: tuple[int, ...] = (1,)

    @model_validator(mode="after")
    def _the_fusion_takes_them(self) -> FusionRates:
        lengths = {len(row) for row in (self.D_u, self.D_v, self.F, self.k, self.reaction)}
        if len(lengths) > 1:
            raise ValueError(f"rates of {sorted(lengths)} channels; all need the same number")
        try:
            checked_dilations(self.dilations)
            _ = self.rates
        except RdmfError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def channels(self) -> int:
        """C."""
        return len(self.reaction)

    @property
    def rates(self) -> Rates:
        """What the fusion's steppers and its stability analysis take."""
        return Rates(*(np.asarray(row) for row in (self.D_u, self.D_v, self.F, self.k)))


class RankingRates(Record):
    """The predicted IoU of a candidate, linear in what is inside and around it, and its length.

    The curves are the standardised similarity, then v of every channel.
    """

    inside: Numbers
    around: Numbers
    sqrt_seconds: float
    log_seconds: float
    offset: float
    dark: float = Field(description="standardised similarity around a moment without surroundings")
    levels: Annotated[int, Field(ge=1, le=256)] = Field(
        default=16, description="level sets a channel"
    )
    overlap: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.7, description="IoU from which on the worse of two moments is dropped"
    )
    redundancy: NotNegative = Field(
        default=0.2, description="what a moment loses for repeating a better one, times their IoU"
    )

    @property
    def weights(self) -> np.ndarray:
        """In the order of `ranking.describe`."""
        return np.array([*self.inside, *self.around, self.sqrt_seconds, self.log_seconds])

    @property
    def dark_curves(self) -> np.ndarray:
        """What every curve is taken to be where a moment has no surroundings; v is unlit there."""
        return np.array([self.dark, *[0.0] * (len(self.inside) - 1)])


class SaliencyRates(Record):
    """Log-odds that a clip belongs to the answer, linear in the same curves."""

    curves: Numbers
    offset: float


class PresenceRates(Record):
    """Log-odds that the query is shown anywhere, linear in what `presence` measures."""

    evidence: Numbers
    offset: float


class TrainingFreeRates(Record):
    """All of `weights/rates.json`."""

    schema_: Literal["rdmf.rates/1"] = Field(default=SCHEMA, alias="schema")
    fusion: FusionRates
    ranking: RankingRates
    saliency: SaliencyRates
    presence: PresenceRates
    presence_over_background: PresenceRates
    made_by: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_weight_a_curve(self) -> TrainingFreeRates:
        curves = 1 + self.fusion.channels
        for name in ("inside", "around"):
            if len(getattr(self.ranking, name)) != curves:
                raise ValueError(f"ranking.{name} needs {curves} numbers, one a curve")
        if len(self.saliency.curves) != curves:
            raise ValueError(f"saliency.curves needs {curves} numbers, one a curve")
        return self


def shipped_rates() -> Path:
    """`weights/rates.json` of this installation or checkout."""
    return weights_folder() / RATES


def load_rates(path: Path | None = None) -> TrainingFreeRates:
    """The rates in a JSON file, by default the shipped ones, whose hash is checked.

    Raises RdmfError where they are missing or are no rates.
    """
    if path is None:
        content = load_weights(RATES)
    else:
        todo = "name a file of rates, or leave --checkpoint out"
        content = content_of(path, "the rates", todo, most=MIB)
    try:
        return TrainingFreeRates.model_validate_json(content)
    except ValidationError as error:
        problem = first_problem(error, "file")
        raise RdmfError(
            f"these are no rates of the training-free answer: {problem}",
            path or shipped_rates(),
            "take a file that benchmarks/training_free.py wrote",
        ) from error

"""The fitted numbers of the training-free head: read from `weights/rates.json` and checked."""

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
    """Rates of the reaction-diffusion fusion. Some rates differ between channels: tuples of C.

    Rates are per step of pseudo-time (dt = 1), and distances are in clips. `threshold` and
    `softness` are in standard deviations of the similarity over the video.
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
        description="visual change at which half of the diffusion passes, in units of visual "
        "change; null: diffusion ignores visual change",
    )
    steps: Annotated[int, Field(ge=0, le=10_000)]
    dilations: tuple[int, ...] = (1,)

    @model_validator(mode="after")
    def _the_fusion_takes_them(self) -> FusionRates:
        lengths = {len(row) for row in (self.D_u, self.D_v, self.F, self.k, self.reaction)}
        if len(lengths) > 1:
            what = f"the rates are for different numbers of channels, {sorted(lengths)}"
            raise ValueError(f"{what}; give every rate the same number of values")
        try:
            checked_dilations(self.dilations)
            _ = self.rates
        except RdmfError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return len(self.reaction)

    @property
    def rates(self) -> Rates:
        """The rates, (C,) each, in the form that the steppers and the stability analysis take."""
        return Rates(*(np.asarray(row) for row in (self.D_u, self.D_v, self.F, self.k)))


class RankingRates(Record):
    """Weights for the expected IoU of a candidate, which is linear in the result of `describe`.

    The curves are the standardised similarity, then v of every channel.
    """

    inside: Numbers
    around: Numbers
    sqrt_seconds: float
    log_seconds: float
    offset: float
    dark: float = Field(
        description="standardised similarity around a moment that has no clips around it"
    )
    levels: Annotated[int, Field(ge=1, le=256)] = Field(
        default=16, description="level sets per channel"
    )
    overlap: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.7, description="lowest IoU of two moments at which the worse one is dropped"
    )
    redundancy: NotNegative = Field(
        default=0.2, description="score lost for repeating a better moment, times their IoU"
    )

    @property
    def weights(self) -> np.ndarray:
        """The weights (2K + 2,), in the order of `ranking.describe`."""
        return np.array([*self.inside, *self.around, self.sqrt_seconds, self.log_seconds])

    @property
    def dark_curves(self) -> np.ndarray:
        """(K,): the mean of each curve around a moment without clips around it; 0 for v."""
        return np.array([self.dark, *[0.0] * (len(self.inside) - 1)])


class SaliencyRates(Record):
    """Weights for the log-odds that a clip belongs to the answer: linear in the same curves."""

    curves: Numbers
    offset: float


class PresenceRates(Record):
    """Weights for the log-odds that the query is shown anywhere: linear in the evidence."""

    evidence: Numbers
    offset: float


class TrainingFreeRates(Record):
    """The content of `weights/rates.json`."""

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
                raise ValueError(f"ranking.{name} needs {curves} numbers, one per curve")
        if len(self.saliency.curves) != curves:
            raise ValueError(f"saliency.curves needs {curves} numbers, one per curve")
        return self


def shipped_rates() -> Path:
    """Return the path of `weights/rates.json` in this installation or checkout."""
    return weights_folder() / RATES


def load_rates(path: Path | None = None) -> TrainingFreeRates:
    """Read and check a file of rates.

    Args:
        path: a JSON file; None: the file that is part of rdmf (its checksum is checked).

    Raises:
        RdmfError: the file is missing, or it holds no valid rates.
    """
    if path is None:
        content = load_weights(RATES)
    else:
        todo = "give a file of rates, or leave --checkpoint out"
        content = content_of(path, "the rates", todo, most=MIB)
    try:
        return TrainingFreeRates.model_validate_json(content)
    except ValidationError as error:
        problem = first_problem(error, "file")
        raise RdmfError(
            f"not a valid file of the training-free head's rates: {problem}",
            path or shipped_rates(),
            "correct it, or leave --checkpoint out to use the shipped rates",
        ) from error

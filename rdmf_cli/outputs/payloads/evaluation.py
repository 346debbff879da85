"""The record that `evaluate` returns."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.base import Payload

METRICS: JsonDict = {
    "description": "the protocol's own metrics, by the names that the field gives them: per cent, "
    "by IoU threshold, by length of the moment; null where there is nothing to average",
    "type": ["object", "number", "null"],
}


class Ties(Record):
    """Between which values a score lies, by the order in which equal scores are taken."""

    least: float
    greatest: float


class Evaluation(Payload):
    """How good predictions are, in per cent.

    `brief` holds what papers print. Beside the fields below stand the protocol's own metrics in
    the field's own layout, such as `full` and `HL-min-VeryGood`.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": METRICS})
    decimals: ClassVar[int] = 2

    schema_: Literal["rdmf.eval/1"] = Field(default="rdmf.eval/1", alias="schema")
    dataset: str = Field(description="the benchmark, or the file of your own annotations")
    protocol: str = Field(description="the rules by which was scored")
    head: str | None = Field(default=None, description="what predicted; null: a file was scored")
    submission: str | None = Field(default=None, description="where the predictions were written")
    queries: dict[str, int] = Field(description="how many were scored, by kind")
    brief: dict[str, float | None] = Field(description="what papers print")
    ties: dict[str, Ties] = Field(
        default_factory=dict, description="range that the order of equal scores allows, by metric"
    )
    notes: tuple[str, ...] = Field(default=(), description="what a reader should know")

    @property
    def metrics(self) -> dict[str, Any]:
        """The protocol's own metrics, by their names."""
        return dict(self.model_extra or {})

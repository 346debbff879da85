"""The record that `evaluate` returns."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.base import Payload

METRICS: JsonDict = {
    "description": "the metrics of the protocol by their published names: per cent, by IoU "
    "threshold, by length of the moment; null if there is nothing to average",
    "type": ["object", "number", "null"],
}


class Ties(Record):
    """The lowest and the highest value of a metric over all orders of clips with equal scores."""

    least: float
    greatest: float


class Evaluation(Payload):
    """The scores of predictions, in per cent.

    `brief` has the metrics that papers print. All metrics of the protocol follow as further keys,
    with the names of the published evaluators, such as `full` and `HL-min-VeryGood`.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": METRICS})
    decimals: ClassVar[int] = 2

    schema_: Literal["rdmf.eval/1"] = Field(default="rdmf.eval/1", alias="schema")
    dataset: str = Field(description="the benchmark, or the file of your own annotations")
    protocol: str = Field(description="the protocol of the metrics")
    head: str | None = Field(
        default=None, description="the head that made the predictions; null: they are from a file"
    )
    submission: str | None = Field(default=None, description="the file of predictions written")
    queries: dict[str, int] = Field(description="number of scored queries, by kind")
    brief: dict[str, float | None] = Field(description="the metrics that papers print")
    ties: dict[str, Ties] = Field(
        default_factory=dict, description="range over all orders of equal scores, by metric"
    )
    notes: tuple[str, ...] = Field(default=(), description="notes for the reader of the numbers")

    @property
    def metrics(self) -> dict[str, Any]:
        """The protocol's own metrics, by their names."""
        return dict(self.model_extra or {})

"""A sweep: the values that several runs try, on a grid or drawn at random. Works without torch."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rdmf_cli.moments.types import Record

MOST_RUNS = 10_000
DIGITS = 3  # significant digits of drawn numbers, so that a table shows all digits
LONGEST_NAME = 60  # characters for the values in the name of a run

Value = bool | int | float | str


class Range(Record):
    """Hold a range from which values are drawn.

    Attributes:
        low: The lowest value.
        high: The highest value.
        log: Whether to draw evenly on a logarithmic scale, as is usual for learning rates.
        whole: Draw whole numbers.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 if log is true")
        return self

    def draw(self, chances: random.Random) -> int | float:
        """Draw a value, rounded to DIGITS significant digits."""
        low, high = (math.log(x) if self.log else x for x in (self.low, self.high))
        drawn = chances.uniform(low, high)
        value = math.exp(drawn) if self.log else drawn
        if self.whole:
            return min(max(round(value), math.ceil(self.low)), math.floor(self.high))
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


class Sweep(Record):
    """Hold the values that several runs try.

    >>> grid = Sweep(values={"training.rate": [1e-4, 5e-4], "model.width": [32, 64]})
    >>> len(list(grid.combinations()))
    4

    Attributes:
        method: "grid": every combination of the values; "random": `runs` random combinations.
        runs: Number of combinations to draw; only for "random".
        seed: Random seed of the draws.
        values: Lists of values by "table.name"; for "random" also ranges.
    """

    method: Literal["grid", "random"] = "grid"
    runs: Annotated[int, Field(ge=1, le=MOST_RUNS)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    values: Annotated[
        dict[str, Annotated[list[Value | list[Value]], Field(min_length=1)] | Range],
        Field(min_length=1),
    ]

    @model_validator(mode="after")
    def _fits_together(self) -> Sweep:
        for name, tried in self.values.items():
            if "." not in name and name != "init":
                raise ValueError(
                    f"{name}: also write the table of the setting, for example training.{name}"
                )
            if self.method == "grid" and isinstance(tried, Range):
                raise ValueError(
                    f"{name}: a grid needs a list of values; a range works only with method random"
                )
        if (self.method == "random") != (self.runs is not None):
            raise ValueError(
                "method random needs runs (the number of combinations), and method grid must not "
                "have it"
            )
        if self.method == "grid" and math.prod(map(len, self._lists)) > MOST_RUNS:
            raise ValueError(f"the grid has more than {MOST_RUNS} combinations")
        return self

    @property
    def _lists(self) -> list[list[Any]]:
        return [tried for tried in self.values.values() if isinstance(tried, list)]

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yield the values of each run by "table.name"; the same seed gives the same values.

        A larger value of `runs` only adds runs at the end, so a user can extend a sweep.
        """
        if self.method == "grid":
            yield from (dict(zip(self.values, row, strict=True)) for row in product(*self._lists))
            return
        assert self.runs is not None
        for number in range(self.runs):
            chances = random.Random(f"{self.seed} {number}")  # noqa: S311
            yield {
                name: tried.draw(chances) if isinstance(tried, Range) else chances.choice(tried)
                for name, tried in self.values.items()
            }


def run_name(values: dict[str, Any]) -> str:
    """Name the folder of a run by its values; a hash at the end separates similar names.

    >>> run_name({"training.rate": 0.001, "model.width": 32})[:-8]
    'rate=0.001,width=32-'
    """
    text = json.dumps(values, sort_keys=True)
    digits = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = ",".join(f"{name.rpartition('.')[2]}={value}" for name, value in values.items())
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._=,+-") else "_" for c in words)
    return f"{plain[:LONGEST_NAME]}-{digits}"

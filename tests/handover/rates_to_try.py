"""The frame rates of the tests of hand-over, and a short video at each rate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from barcoded import Recipe

from rdmf_cli.moments.types import Moment


@dataclass(frozen=True)
class Rate:
    """A frame rate, its counting of frames, and a start time code shortly before a full minute."""

    name: str
    rate: Fraction
    code: str

    def __str__(self) -> str:
        return self.name

    @property
    def drop(self) -> bool:
        return ";" in self.code

    @property
    def recipe(self) -> Recipe:
        name = f"at_{self.name}".replace(".", "_").replace(" ", "_")
        return Recipe(name, "libx264", "mov", 120, self.rate, time_code=self.code)


RATES = [
    Rate("23.976", Fraction(24000, 1001), "09:59:58:00"),
    Rate("24", Fraction(24), "01:00:58:12"),
    Rate("25", Fraction(25), "10:00:59:00"),
    Rate("29.97 DF", Fraction(30000, 1001), "00:00:58;00"),
    Rate("29.97 NDF", Fraction(30000, 1001), "00:00:58:00"),
    Rate("30", Fraction(30), "00:00:00:00"),
    Rate("50", Fraction(50), "01:00:00:00"),
    Rate("59.94 DF", Fraction(60000, 1001), "00:08:59;00"),
    Rate("59.94 NDF", Fraction(60000, 1001), "00:08:59:00"),
    Rate("60", Fraction(60), "23:59:59:00"),
]

SPANS = [(0, 1), (7, 31), (31, 60), (60, 61), (95, 120)]
"""Frames [first, stop) of the moments to hand over."""


def moments_at(rate: Fraction) -> list[Moment]:
    """Make a moment per span, in seconds of a player, to the microsecond; the best comes last."""
    return [
        Moment(
            rank=len(SPANS) - number,
            start=round(float(first / rate), 6),
            end=round(float(stop / rate), 6),
            score=(number + 1) / 10,
            raw_score=1.0,
        )
        for number, (first, stop) in enumerate(SPANS)
    ]

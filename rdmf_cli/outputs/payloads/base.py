"""The base class of all results that rdmf writes as JSON."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ConfigDict

from rdmf_cli.moments.types import Record


class Payload(Record):
    """A result with a published schema, named by its key `schema`.

    Attributes:
        decimals: Decimals of the numbers in its JSON; some keys have another number of decimals.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        populate_by_name=True,
        defer_build=True,
    )

    decimals: ClassVar[int] = 6

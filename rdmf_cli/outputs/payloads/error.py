"""The record of an error."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rdmf_cli.errors import RdmfError
from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.base import Payload
from rdmf_cli.text import valid_text


class ErrorFacts(Record):
    """What happened, to which file or option, and what to do about it."""

    what: str
    subject: str | None = Field(description="the file, option or name with the problem")
    todo: str | None = Field(description="what to do about it")


class ErrorLine(Payload):
    """The line that is written in place of an answer if there was an error."""

    schema_: Literal["rdmf.error/1"] = Field(default="rdmf.error/1", alias="schema")
    error: ErrorFacts

    @classmethod
    def of(cls, error: RdmfError) -> ErrorLine:
        """Make the record of an error; text becomes valid Unicode."""
        facts = {name: text and valid_text(text) for name, text in error.as_dict().items()}
        return cls(error=ErrorFacts.model_validate(facts))

"""JSON Lines: one answer or one error per line; `docs/json.md` describes the schemas.

Keys have the order of the record's fields, numbers are rounded, and two runs of one query give
the same bytes, except for `timings`.
"""

from __future__ import annotations

import codecs
import json
from typing import Any, Final, Literal, TextIO

from pydantic import ConfigDict, Field

from rdmf_cli.errors import RdmfError
from rdmf_cli.moments.types import Answer, Record
from rdmf_cli.outputs.writer import Writer
from rdmf_cli.text import STEERING, valid_text

ERROR_SCHEMA: Final = "rdmf.error/1"
DECIMALS = 6
DECIMALS_OF = {
    **dict.fromkeys(("start", "end", "duration", "offset", "timings"), 3),  # milliseconds
    "saliency": 4,
}


class ErrorFacts(Record):
    """What happened, to which file or option, and what to do about it."""

    what: str
    subject: str | None = Field(description="the file, option or name it happened to")
    todo: str | None = Field(description="what to do about it")


class ErrorLine(Record):
    """The line that takes the place of an answer where there was an error."""

    schema_: Literal["rdmf.error/1"] = Field(default=ERROR_SCHEMA, alias="schema")
    error: ErrorFacts

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def answer_line(answer: Answer, ascii_only: bool = False) -> str:
    """Return an answer as one line of JSON, without a line feed.

    Args:
        answer: The answer.
        ascii_only: Escape all other characters.
    """
    fields = answer.model_dump(mode="json", by_alias=True)
    timings = fields.pop("timings")
    fields["timings"] = dict(sorted(timings.items()))
    return _line(rounded(fields), ascii_only)


def record_line(record: Record, ascii_only: bool = False) -> str:
    """Return a record as one line of JSON, without the line's end."""
    return _line(rounded(record.model_dump(mode="json", by_alias=True)), ascii_only)


def error_line(error: RdmfError, ascii_only: bool = False) -> str:
    """Return an error as one line of JSON, without a line feed.

    Args:
        error: The error.
        ascii_only: Escape all other characters.
    """
    facts = {name: text and valid_text(text) for name, text in error.as_dict().items()}
    line = ErrorLine(error=ErrorFacts.model_validate(facts))
    return _line(line.model_dump(mode="json", by_alias=True), ascii_only)


class JsonWriter(Writer):
    """A writer of one line per answer, flushed, so that a pipeline gets each answer at once.

    A UTF-8 stream gets text as it is; a stream of another encoding gets JSON's escapes.
    """

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.ascii_only = not _is_utf8(getattr(stream, "encoding", None))

    def write(self, answer: Answer) -> None:
        """Write one line."""
        self._write(answer_line(answer, self.ascii_only))

    def write_error(self, error: RdmfError) -> None:
        """Write an error in the place of its answer."""
        self._write(error_line(error, self.ascii_only))

    def _write(self, line: str) -> None:
        self.stream.write(line + "\n")
        self.stream.flush()


def rounded(value: Any, decimals: int = DECIMALS) -> Any:
    """Return a JSON value with every float rounded; a key's decimals hold for all inside it.

    Args:
        value: A JSON value.
        decimals: Number of decimals where DECIMALS_OF has no entry for the key.
    """
    if isinstance(value, float):
        return round(value, decimals) + 0.0  # -0.0 becomes 0.0
    if isinstance(value, list):
        return [rounded(item, decimals) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item, DECIMALS_OF.get(key, decimals)) for key, item in value.items()}
    return value


def _line(fields: dict[str, Any], ascii_only: bool) -> str:
    """Write JSON on one line, all control characters escaped (`json` escapes up to U+001F)."""
    line = json.dumps(fields, ensure_ascii=ascii_only, allow_nan=False)
    return STEERING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", line)


def _is_utf8(encoding: str | None) -> bool:
    """Return whether a stream takes any text: UTF-8, or no encoding (in memory)."""
    return encoding is None or codecs.lookup(encoding).name.startswith("utf-8")

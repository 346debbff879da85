"""JSON Lines: one answer or one error per line; `docs/json.md` describes the schemas.

Keys have the order of the record's fields. Numbers are rounded. Two runs of one query give the same
bytes, except for `timings`.
"""

from __future__ import annotations

import codecs
import json
from typing import Any, TextIO

from rdmf_cli.errors import RdmfError
from rdmf_cli.moments.types import Record
from rdmf_cli.outputs.payloads.error import ErrorLine
from rdmf_cli.outputs.writer import Writer
from rdmf_cli.text import STEERING

DECIMALS = 6
DECIMALS_OF = {
    **dict.fromkeys(("start", "end", "duration", "offset", "timings"), 3),  # milliseconds
    "saliency": 4,
}


def json_line(record: Record, ascii_only: bool = False) -> str:
    """Write a record as one line of JSON, without the line end; `timings` come last, sorted."""
    fields = record.model_dump(mode="json", by_alias=True)
    if "timings" in fields:
        fields["timings"] = dict(sorted(fields.pop("timings").items()))
    return _line(rounded(fields, getattr(record, "decimals", DECIMALS)), ascii_only)


def error_line(error: RdmfError, ascii_only: bool = False) -> str:
    """Write an error as one line of JSON, without the line end."""
    return json_line(ErrorLine.of(error), ascii_only)


class JsonWriter(Writer):
    """Write one line per answer, and flush it, so that a pipeline gets each answer at once.

    A stream in UTF-8 gets text unchanged; a stream in another encoding gets JSON's escapes.
    """

    def __init__(self, stream: TextIO):
        super().__init__(stream)
        self.ascii_only = not _is_utf8(getattr(stream, "encoding", None))

    def write(self, answer: Record) -> None:
        """Write an answer, or any other record."""
        self._write(json_line(answer, self.ascii_only))

    def write_error(self, error: RdmfError) -> None:
        """Write an error in place of its answer."""
        self._write(error_line(error, self.ascii_only))

    def _write(self, line: str) -> None:
        self.stream.write(line + "\n")
        self.stream.flush()


def rounded(value: Any, decimals: int = DECIMALS) -> Any:
    """Return a JSON value with every float rounded; a key's decimals apply to all values inside it.

    Args:
        value: A JSON value.
        decimals: Number of decimals for keys without an entry in DECIMALS_OF.
    """
    if isinstance(value, float):
        return round(value, decimals) + 0.0  # -0.0 becomes 0.0
    if isinstance(value, list):
        return [rounded(item, decimals) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item, DECIMALS_OF.get(key, decimals)) for key, item in value.items()}
    return value


def _line(fields: dict[str, Any], ascii_only: bool) -> str:
    """Write JSON on one line; escape all control characters (`json` escapes up to U+001F)."""
    line = json.dumps(fields, ensure_ascii=ascii_only, allow_nan=False)
    return STEERING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", line)


def _is_utf8(encoding: str | None) -> bool:
    """Return whether a stream takes any text: its encoding is UTF-8, or None (in memory)."""
    return encoding is None or codecs.lookup(encoding).name.startswith("utf-8")

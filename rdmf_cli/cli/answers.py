"""Read answers from stdin: the JSON Lines of `rdmf query --json`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdmf_cli.moments.types import Answer


def answers_on_stdin() -> dict[str, list[Answer]]:
    """Read the answers of `rdmf query --json` from stdin, grouped by video; skip errors."""
    from pydantic import ValidationError

    from rdmf_cli.errors import RdmfError, UsageError, first_problem
    from rdmf_cli.moments.types import Answer

    found: dict[str, list[Answer]] = {}
    text = "" if sys.stdin is None else sys.stdin.read()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            if isinstance(fields, dict) and "error" in fields:
                continue
            answer = Answer.model_validate(fields)
        except (ValueError, RecursionError) as error:
            reason = (
                first_problem(error, "the line") if isinstance(error, ValidationError) else error
            )
            what = f"line {number} is not an answer of rdmf ({reason})"
            raise RdmfError(what, "stdin", "give it the output of rdmf query --json") from error
        found.setdefault(answer.video, []).append(answer)
    if not found:
        raise UsageError(
            "there is no answer on stdin", todo="rdmf query VIDEO ... --json | rdmf cut -"
        )
    return found

"""Notes that are shown once per day."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import date


def say_daily(text: str) -> None:
    """Print a note once per day; if rdmf cannot record that it was printed, print it each time."""
    from rdmf_cli.cli.quiet import is_quiet
    from rdmf_cli.cli.report import say

    if not is_quiet() and _first_today(text):
        say("note", text)


def _first_today(text: str) -> bool:
    from rdmf_cli.errors import RdmfError
    from rdmf_cli.files import write_own
    from rdmf_cli.folders import data_folder

    today, key = date.today().isoformat(), hashlib.sha256(text.encode()).hexdigest()[:16]
    with suppress(OSError, RdmfError):
        record = data_folder() / "said.json"
        said = _read(record.read_bytes() if record.exists() else b"", today)
        if key in said:
            return False
        record.parent.mkdir(parents=True, exist_ok=True)
        write_own(record, json.dumps({"day": today, "said": [*said, key]}).encode())
    return True


def _read(content: bytes, today: str) -> list[str]:
    """Return the keys of today's notes; none if the record is broken or from another day."""
    with suppress(ValueError, TypeError, KeyError):
        record = json.loads(content)
        if record["day"] == today:
            return [str(key) for key in record["said"]]
    return []

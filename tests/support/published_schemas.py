"""Compare lines of JSON with the schemas in `docs/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

DOCS = Path(__file__).parents[2] / "docs"


def schemas() -> dict[str, Any]:
    """Return every published schema by its name in the key `schema` of a line."""
    known = (json.loads(path.read_text(encoding="utf-8")) for path in DOCS.glob("*.schema.json"))
    return {schema["properties"]["schema"]["const"]: schema for schema in known}


def check_lines(text: str) -> list[dict[str, Any]]:
    """Check that each object of a JSON Lines output matches its schema; return the objects."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        jsonschema.Draft202012Validator(schemas()[line["schema"]]).validate(line)
    return lines

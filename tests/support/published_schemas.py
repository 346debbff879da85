"""Lines of JSON held against the schemas that `docs/` publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

DOCS = Path(__file__).parents[2] / "docs"


def schemas() -> dict[str, Any]:
    """Every published schema by the name that a line's key `schema` gives it."""
    known = (json.loads(path.read_text(encoding="utf-8")) for path in DOCS.glob("*.schema.json"))
    return {schema["properties"]["schema"]["const"]: schema for schema in known}


def check_lines(text: str) -> list[dict[str, Any]]:
    """The objects of a JSON Lines output, each of which keeps to the schema that it names."""
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        jsonschema.Draft202012Validator(schemas()[line["schema"]]).validate(line)
    return lines

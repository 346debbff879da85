"""The published JSON schemas. `python -m rdmf_cli.outputs.schema docs` makes them from records."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rdmf_cli.files import write_whole
from rdmf_cli.library.status import LibraryStatus
from rdmf_cli.library.types import Hit
from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.payloads.analysis import Analysis
from rdmf_cli.outputs.payloads.comparison import Comparison
from rdmf_cli.outputs.payloads.cutting import CutFile
from rdmf_cli.outputs.payloads.data import DataReport
from rdmf_cli.outputs.payloads.error import ErrorLine
from rdmf_cli.outputs.payloads.evaluation import Evaluation
from rdmf_cli.outputs.payloads.extraction import Extraction
from rdmf_cli.outputs.payloads.fusion import Fusion
from rdmf_cli.outputs.payloads.training import Training, Trainings
from rdmf_cli.outputs.payloads.upkeep import CacheEntry, CacheSize, Diagnosis, EncoderEntry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PUBLISHED: dict[str, type[BaseModel]] = {
    "analysis.schema.json": Analysis,
    "answer.schema.json": Answer,
    "comparison.schema.json": Comparison,
    "cache.schema.json": CacheEntry,
    "cache-size.schema.json": CacheSize,
    "data.schema.json": DataReport,
    "cut.schema.json": CutFile,
    "doctor.schema.json": Diagnosis,
    "error.schema.json": ErrorLine,
    "eval.schema.json": Evaluation,
    "extract.schema.json": Extraction,
    "fuse.schema.json": Fusion,
    "train.schema.json": Training,
    "trainings.schema.json": Trainings,
    "weights.schema.json": EncoderEntry,
    "hit.schema.json": Hit,
    "library.schema.json": LibraryStatus,
}


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a record in its written form: every field is always present."""
    schema = model.model_json_schema(mode="serialization")
    for record in (schema, *schema.get("$defs", {}).values()):
        record["required"] = list(record["properties"])
    return {"$schema": DIALECT, **schema}


def schema_text(model: type[BaseModel]) -> str:
    """Return the text of a schema file."""
    return json.dumps(json_schema(model), indent=2, ensure_ascii=False) + "\n"


def publish(folder: Path) -> None:
    """Write every published schema into a folder."""
    for name, model in PUBLISHED.items():
        write_whole(folder / name, schema_text(model).encode(), force=True)


if __name__ == "__main__":
    publish(Path(sys.argv[1]))

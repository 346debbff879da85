"""The results that rdmf writes as JSON: one pydantic record each, with a published schema.

`outputs/schema.py` lists them and writes their schemas, `JsonWriter` their lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdmf_cli.lazy import lazily, listed

if TYPE_CHECKING:
    from rdmf_cli.outputs.payloads.analysis import Analysis
    from rdmf_cli.outputs.payloads.base import Payload
    from rdmf_cli.outputs.payloads.comparison import Comparison
    from rdmf_cli.outputs.payloads.evaluation import Evaluation
    from rdmf_cli.outputs.payloads.training import Training, Trainings

__all__ = ["Analysis", "Comparison", "Evaluation", "Payload", "Training", "Trainings"]

_HERE = "rdmf_cli.outputs.payloads"
_HOMES = {
    "Analysis": f"{_HERE}.analysis",
    "Comparison": f"{_HERE}.comparison",
    "Evaluation": f"{_HERE}.evaluation",
    "Payload": f"{_HERE}.base",
    **dict.fromkeys(("Training", "Trainings"), f"{_HERE}.training"),
}

__getattr__ = lazily(__name__, _HOMES)
__dir__ = listed(__name__, _HOMES)

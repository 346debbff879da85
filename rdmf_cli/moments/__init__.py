"""From the pattern to moments: level sets, suppression, and the records of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdmf_cli.lazy import lazily, listed

if TYPE_CHECKING:
    from rdmf_cli.moments.nms import Penalty, span_iou, suppress
    from rdmf_cli.moments.pattern import Candidates, level_sets
    from rdmf_cli.moments.reading import Reading
    from rdmf_cli.moments.types import Answer, Features, Moment

__all__ = [
    "Answer",
    "Candidates",
    "Features",
    "Moment",
    "Penalty",
    "Reading",
    "level_sets",
    "span_iou",
    "suppress",
]

_HERE = "rdmf_cli.moments"
_HOMES = {
    **dict.fromkeys(("Penalty", "span_iou", "suppress"), f"{_HERE}.nms"),
    **dict.fromkeys(("Candidates", "level_sets"), f"{_HERE}.pattern"),
    "Reading": f"{_HERE}.reading",
    **dict.fromkeys(("Answer", "Features", "Moment"), f"{_HERE}.types"),
}

__getattr__ = lazily(__name__, _HOMES)
__dir__ = listed(__name__, _HOMES)

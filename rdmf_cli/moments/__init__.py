"""From the emergent pattern to moments: level sets, suppression, and the records of an answer."""

from rdmf_cli.moments.nms import span_iou, suppress
from rdmf_cli.moments.pattern import Candidates, level_sets
from rdmf_cli.moments.reading import Reading
from rdmf_cli.moments.types import Answer, Features, Moment

__all__ = [
    "Answer",
    "Candidates",
    "Features",
    "Moment",
    "Reading",
    "level_sets",
    "span_iou",
    "suppress",
]

"""From the emergent pattern to moments: level sets, rank, suppression, and the answer's schema."""

from rdmf_cli.moments.background import Background
from rdmf_cli.moments.nms import overlaps, suppress
from rdmf_cli.moments.pattern import Candidates, level_sets
from rdmf_cli.moments.rates import TrainingFreeRates, load_rates
from rdmf_cli.moments.training_free import Reading, TrainingFree
from rdmf_cli.moments.types import Answer, Features, Moment

__all__ = [
    "Answer",
    "Background",
    "Candidates",
    "Features",
    "Moment",
    "Reading",
    "TrainingFree",
    "TrainingFreeRates",
    "level_sets",
    "load_rates",
    "overlaps",
    "suppress",
]

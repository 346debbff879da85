"""Relevance: the one number by which moments of different videos are compared.

It is the chance that a moment shows the query, a logistic function of two things:

- the match of the moment: how far the clips of it that match best stand above what unrelated
  queries reach in unrelated pictures. The scale is that of the encoder and the kind of query, the
  same for every video, so moments of a rich and of a plain video compare;
- the presence of the query in the moment's video, which sets the same similarity against what
  unrelated queries reach in that video.

The score of a moment is no part of it: it tells how well the span fits if the query is shown, and
on real footage it does not tell whether it is (docs/library.md, benchmarks/library_ranking.py).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import Background

CONVINCES: Final = 0.5
"""Relevance below which a hit is shown, but said not to convince."""

OF_MATCH: Final = 1.05
OF_PRESENCE: Final = 0.18
OFFSET: Final = -1.59
"""Weights of the match and of the log-odds of presence. Fitted on joined clips of real footage with
the shipped encoder (even lines of its list; benchmarks/library_ranking.py --fit)."""

BEST_CLIPS: Final = 2
"""Clips whose mean similarity stands for a moment: one may err, and many moments are short."""

LEAST_CHANCE: Final = 1e-6


def match(similarity: npt.NDArray[np.floating], scale: Background) -> float:
    """Return how far the best clips of a moment stand above unrelated things, in deviations.

    Args:
        similarity: (L,) cosines of the clips of the moment, at least one.
        scale: What unrelated queries reach; `QueryFeatures.scale`.
    """
    best = np.sort(similarity)[-BEST_CLIPS:]
    return scale.excess(float(best.mean()))


def relevance(match: float, presence: float) -> float:
    """Return the chance, in [0, 1], that a moment shows what is looked for.

    Args:
        match: Of the moment, as `match` gives it.
        presence: In [0, 1], of the moment's video (or of the stretch of it that was read).
    """
    log_odds = OF_MATCH * match + OF_PRESENCE * _log_odds(presence) + OFFSET
    return 0.5 * (1.0 + math.tanh(0.5 * log_odds))


def _log_odds(chance: float) -> float:
    chance = min(max(chance, LEAST_CHANCE), 1 - LEAST_CHANCE)
    return math.log(chance / (1 - chance))

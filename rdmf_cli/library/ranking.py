"""Relevance: the number that ranks moments of different videos.

Relevance is the probability that a moment shows the query. It is a logistic function of two values:

- the match of the moment: how far the similarity of its best clips to the query exceeds the
  similarities of unrelated queries to unrelated pictures. These similarities depend only on the
  encoder and the kind of query. So moments of all videos can be compared;
- the presence of the query in the video of the moment. Presence compares the similarity of the
  query to the clips of this video with the similarities of unrelated queries to the same clips.

The score of a moment is not used. The score is the expected IoU if the video shows the query; on
real videos the score does not tell whether the video shows the query (docs/library.md,
benchmarks/library_ranking.py).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import Background

CONVINCES: Final = 0.5
"""A hit with a lower relevance is listed as not convincing."""

OF_MATCH: Final = 1.05
OF_PRESENCE: Final = 0.18
OFFSET: Final = -1.59
"""Weights of the match and of the log-odds of presence, and the offset. Fitted on joined clips of
real videos with the embedded encoder (even lines of the list; benchmarks/library_ranking.py --fit).
"""

BEST_CLIPS: Final = 2
"""The match of a moment is the mean similarity of this many clips; one clip is unreliable."""

LEAST_CHANCE: Final = 1e-6


def match(similarity: npt.NDArray[np.floating], scale: Background) -> float:
    """Return by how many standard deviations of `scale` a moment's best clips exceed its mean.

    Args:
        similarity: Cosines of the clips of the moment and the query, (L,), at least one.
        scale: Mean and deviation of the similarities of unrelated queries to unrelated pictures
            (`QueryFeatures.scale`).
    """
    best = np.sort(similarity)[-BEST_CLIPS:]
    return scale.excess(float(best.mean()))


def relevance(match: float, presence: float) -> float:
    """Return the probability, in [0, 1], that a moment shows the query.

    Args:
        match: The match of the moment, from `match`.
        presence: The presence in the video, or in the stretch that was read, in [0, 1].
    """
    log_odds = OF_MATCH * match + OF_PRESENCE * _log_odds(presence) + OFFSET
    return 0.5 * (1.0 + math.tanh(0.5 * log_odds))


def _log_odds(chance: float) -> float:
    chance = min(max(chance, LEAST_CHANCE), 1 - LEAST_CHANCE)
    return math.log(chance / (1 - chance))

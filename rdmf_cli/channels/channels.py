"""What a query says of each clip, free of the scale of the encoder that says it.

Encoders differ in how near to each other they put any two rows. Moving all clips and sentences
along a direction of their own changes no channel: similarity is standardised over the video, and
visual change counted in a unit of the video, the median over the steps that change.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import Background, strongest
from rdmf_cli.channels.change import LEAST_CHANGE, steps_that_change, visual_change
from rdmf_cli.channels.similarity import standardise
from rdmf_cli.features.files import normalise_rows

Array = npt.NDArray[np.float32]

CHANNELS = (
    "similarity",
    "echo of the best",
    "echo of the better",
    "likeness to the mean clip",
    "change before",
    "change after",
    "change over three clips",
)
"""What the columns of `channels` are. An echo is the similarity to the clips that match best."""

MOST_DEVIATIONS = 4.0
"""Standardised similarity stays within ±4."""

TEMPERATURES = (0.25, 0.7)
"""Deviations by which a clip must match better to weigh e times as much in the echoed mean."""

MOST_CHANGE = 4.0
"""Units, above which all changes are cuts."""

LAG = 3
"""Clips, of the change over several."""

CUT = 2.5
"""Visual change, in units of the video, at which half of a fusion's flux passes."""

MOST_EXCESS = 10.0
"""Deviations: a match so far above the background is no surer further up."""


def channels(rows: Array, sentence: Array) -> Array:
    """(L, C): the columns named by `CHANNELS`, of clips (L, D) and a sentence (D,), unit rows."""
    similarity = _in_deviations(rows @ sentence)
    echoes = [_echo(rows, similarity, temperature) for temperature in TEMPERATURES]
    columns = [similarity, *echoes, _in_deviations(rows @ rows.mean(0)), *_changes(rows)]
    return np.stack(columns, axis=1).astype(np.float32)


def evidence(similarity: Array, background: Background | None) -> Array:
    """(2,): by how many deviations the best of L clips exceeds the background, and whether known.

    Within ±10; (0, 0) where there is no background.
    """
    if background is None:
        return np.zeros(2, np.float32)
    reached = float(strongest(np.asarray(similarity, np.float64)))
    excess = np.clip(background.excess(reached), -MOST_EXCESS, MOST_EXCESS)
    return np.array([excess, 1.0], np.float32)


def _echo(rows: Array, z: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """(L,): similarity to the mean of the clips, weighted by how well they match."""
    weight = np.exp((z - z.max()) / temperature)
    return _in_deviations(rows @ normalise_rows(weight / weight.sum() @ rows))


def _changes(rows: Array) -> list[npt.NDArray[np.float64]]:
    """(L,) each: visual change to the clip before, to the one after, to the third before."""
    steps = visual_change(rows)
    unit = _unit(steps)
    over_some = np.clip(1.0 - (rows[LAG:] * rows[:-LAG]).sum(-1), 0.0, 2.0)
    return [
        _in_units(change, unit)
        for change in (
            np.pad(steps, (1, 0)),
            np.pad(steps, (0, 1)),
            np.pad(over_some, (len(rows) - len(over_some), 0)),
        )
    ]


def _unit(steps: Array) -> float:
    """The median over the steps that change, which repeats of a frame do not move."""
    changing = steps[steps_that_change(steps, np.ones(len(steps), dtype=bool))]
    return max(float(np.median(changing)) if len(changing) else 0.0, LEAST_CHANGE)


def _in_units(change: Array, unit: float) -> npt.NDArray[np.float64]:
    """0 at a unit, at most MOST_CHANGE - 1."""
    return np.minimum(change / unit, MOST_CHANGE) - 1.0


def _in_deviations(similarity: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """(L,): in deviations from the mean over the video, within ±`MOST_DEVIATIONS`."""
    real = np.ones(len(similarity), dtype=bool)
    return standardise(similarity.astype(np.float64), real, MOST_DEVIATIONS)

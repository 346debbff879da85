"""The similarity channels: numbers that relate a query to each clip, for any encoder.

The average cosine of two features differs between encoders. The channels do not depend on this
average: a shift of all clips and sentences along one common direction changes no channel. To this
end similarity is standardised over the video, and visual change is divided by its median over the
pairs of neighbouring clips that change.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rdmf_cli.channels.background import Background, strongest
from rdmf_cli.channels.change import (
    LEAST_CHANGE,
    change_between,
    steps_that_change,
)
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
"""Names of the columns of `channels`. An echo is the similarity to the clips that match best."""

MOST_DEVIATIONS = 4.0
"""Standardised similarity is clipped to ±4 standard deviations."""

TEMPERATURES = (0.25, 0.7)
"""Softmax temperatures of the two echoes, in standard deviations of the similarity."""

MOST_CHANGE = 4.0
"""Visual change is clipped to this many units. Every larger change is a cut."""

LAG = 3
"""Distance in clips for the channel "change over three clips"."""

CUT = 2.5
"""Visual change at which half of a fusion's diffusion passes, in units of visual change."""

MOST_EXCESS = 10.0
"""Evidence is clipped to ±10 standard deviations. A larger value would not be more certain."""


def channels(
    rows: Array, sentence: Array, stretch: float = 1.0, about: Array | None = None
) -> Array:
    """Compute the similarity channels of one query on one video.

    Args:
        rows: (L, D) features of the clips, rows of unit length.
        sentence: (D,) feature of the query, of unit length.
        stretch: number of clips that count as one clip of training. The lags of visual change are
            longer by this factor; each lag is at least one clip.
        about: the result of `channels_of_video` for these rows, if it is known already.

    Returns:
        float32 (L, C), with the columns named by `CHANNELS`.
    """
    similarity = _in_deviations(rows @ sentence)
    echoes = [_echo(rows, similarity, temperature) for temperature in TEMPERATURES]
    about = channels_of_video(rows, stretch) if about is None else about
    of_query = np.stack([similarity, *echoes], axis=1).astype(np.float32)
    return np.concatenate([of_query, about], axis=1)


def channels_of_video(rows: Array, stretch: float = 1.0) -> Array:
    """Compute those channels that depend on the video alone; see `channels`.

    Args:
        rows: (L, D) features of the clips, rows of unit length.
        stretch: number of clips that count as one clip of training.

    Returns:
        float32 (L, 4), the last columns of `CHANNELS`.
    """
    columns = [_in_deviations(rows @ rows.mean(0)), *_changes(rows, stretch)]
    return np.stack(columns, axis=1).astype(np.float32)


def evidence(similarity: Array, background: Background | None) -> Array:
    """Compare the best match of a query with the background of the video.

    Args:
        similarity: (L,) cosine of each clip and the query.
        background: the background of this video; None: not known.

    Returns:
        float32 (2,). The first number says by how many standard deviations the best match exceeds
        the background, clipped to ±`MOST_EXCESS`. The second number is 1. If the background is not
        known, both numbers are 0.
    """
    if background is None:
        return np.zeros(2, np.float32)
    reached = float(strongest(np.asarray(similarity, np.float64)))
    excess = np.clip(background.excess(reached), -MOST_EXCESS, MOST_EXCESS)
    return np.array([excess, 1.0], np.float32)


def _echo(rows: Array, z: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Return (L,): similarity to a mean of all clips that weighs better matching clips more."""
    weight = np.exp((z - z.max()) / temperature)
    share = (weight / weight.sum()).astype(rows.dtype)  # else numpy converts all rows to float64
    return _in_deviations(rows @ normalise_rows(share @ rows))


def _changes(rows: Array, stretch: float) -> list[npt.NDArray[np.float64]]:
    """Return three (L,): visual change to the clip before, the next clip, the third clip before."""
    next_, third = (max(round(lag * stretch), 1) for lag in (1, LAG))
    steps = change_between(rows[:-next_], rows[next_:])
    unit = _unit(steps)
    over_some = change_between(rows[:-third], rows[third:])
    return [
        _in_units(change, unit)
        for change in (
            np.pad(steps, (len(rows) - len(steps), 0)),
            np.pad(steps, (0, len(rows) - len(steps))),
            np.pad(over_some, (len(rows) - len(over_some), 0)),
        )
    ]


def _unit(steps: Array) -> float:
    """Return the unit of visual change: the median over the neighbouring clips that differ."""
    changing = steps[steps_that_change(steps, np.ones(len(steps), dtype=bool))]
    return max(_median(changing) if len(changing) else 0.0, LEAST_CHANGE)


def _median(x: Array) -> float:
    """Return the median of (n,) values, n > 0. numpy's median would import masked arrays."""
    return float(np.sort(x)[(len(x) - 1) // 2 : len(x) // 2 + 1].mean())


def _in_units(change: Array, unit: float) -> npt.NDArray[np.float64]:
    """Return the change in units, minus 1: 0 at one unit, at most MOST_CHANGE - 1."""
    in_units: npt.NDArray[np.float64] = np.minimum(change / unit, MOST_CHANGE) - 1.0
    return in_units


def _in_deviations(similarity: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return (L,): standard deviations from the mean over the video, within ±`MOST_DEVIATIONS`."""
    real = np.ones(len(similarity), dtype=bool)
    return standardise(similarity.astype(np.float64), real, MOST_DEVIATIONS)

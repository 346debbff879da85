"""Draw an answer with matplotlib (the optional part `plot`)."""

from __future__ import annotations

from pathlib import PurePath
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from rdmf_cli.errors import MissingExtra
from rdmf_cli.moments.types import Answer
from rdmf_cli.outputs.axis import TimeAxis, lanes
from rdmf_cli.outputs.figure import (
    BLUE,
    COLUMNS,
    LANE,
    LANES,
    LONGEST_TITLE,
    TICKS,
    line_width,
    mark_moment,
    mark_time,
)
from rdmf_cli.outputs.table import worth_listing
from rdmf_cli.text import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (9.0, 2.8)  # inches


def draw_answer(answer: Answer, axis: Axes | None = None) -> Axes:
    """Draw the saliency of each clip over time, and the ranks of moments without low scores.

    Args:
        answer: The answer.
        axis: The axes to draw on; None: the axes of a new figure.

    Returns:
        The axes.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    axis = _new_axes() if axis is None else axis
    end = answer.offset + max(len(answer.saliency), 1) * answer.clip_length
    edges = np.linspace(answer.offset, end, max(len(answer.saliency), 1) + 1)
    if answer.saliency:
        axis.stairs(answer.saliency, edges, color=BLUE, linewidth=line_width(edges))
    listed = worth_listing(answer.moments)
    rows = lanes(listed, TimeAxis(answer.offset, end, COLUMNS), most=LANES)
    axis.set_ylim(0, 1.02 + LANE * 1.3 * len(rows))
    for lane, row in enumerate(rows):
        for mark in row:
            mark_moment(axis, mark.moment, 1 - LANE * (lane + 0.5))
    axis.set_yticks([0, 0.5, 1])
    axis.set_ylabel("saliency")
    mark_time(axis, edges, TICKS)
    name = PurePath(answer.video).name
    title = f"“{answer.query}” in {name}, presence {answer.presence:.2f}"
    heading = shorten(one_line(title), LONGEST_TITLE, placeholder=" …")
    axis.set_title(heading, loc="left", fontsize="medium", parse_math=False)
    return axis


def _new_axes() -> Axes:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise MissingExtra("Answer.plot()", "plot") from error
    return pyplot.subplots(figsize=SIZE, layout="constrained")[1]

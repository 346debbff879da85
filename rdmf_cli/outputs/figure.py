"""Draw the pattern as a figure (matplotlib, the optional part `plot`)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rdmf_cli.errors import MissingExtra, RdmfError
from rdmf_cli.files import check_target, write_whole
from rdmf_cli.moments.types import Moment
from rdmf_cli.outputs.axis import TimeAxis, lanes, tick_step
from rdmf_cli.text import clock, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = NDArray[np.floating]

# Colours of Okabe and Ito, distinct for colour-blind readers; in colour maps, brightness rises with
# the value.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
U_COLOURS, V_COLOURS = "cividis", "inferno"
WIDTH, CHANNEL_HEIGHT = 13.0, 2.1  # inches
TOP = {"similarity": 2.4, "change": 0.9}  # inches
DOTS = 130  # per inch
TICKS = 8
COLUMNS, LANES, LANE = 100, 6, 0.09  # LANE: height of a lane of moments as a share of the axis
PAPER: dict[str, object] = {"facecolor": "white", "edgecolor": "none", "boxstyle": "round,pad=0.15"}
LONGEST_TITLE = 120  # characters
MANY_CLIPS = 600  # with this number of clips or more, lines are thin
WHAT = "the figure"
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}  # no date: reproducible files


@dataclass(frozen=True, kw_only=True)
class DrawnPattern:
    """Hold what a figure shows: N steps of C channels over L clips.

    Attributes:
        similarity: Similarity of clip and query, (L,).
        change: Visual change from clip to clip, (L - 1,).
        r: Reaction rates, (C, L).
        r_star: The threshold: the reaction rate above which a clip can stay active, (C,).
        u_trace: The field u at the start and after each of N steps, (N + 1, C, L).
        v_trace: The field v at the start and after each of N steps, (N + 1, C, L).
        moments: The moments.
        clip_length: Length of a clip in seconds.
        offset: Start of the first clip in seconds.
        names: Names of the channels, C of them.
        title: Title of the figure.
    """

    similarity: Values
    change: Values
    r: Values
    r_star: Values
    u_trace: Values
    v_trace: Values
    moments: Sequence[Moment]
    clip_length: float
    offset: float = 0.0
    names: Sequence[str]
    title: str = ""

    @property
    def edges(self) -> Values:
        """The start of every clip and the end of the last clip, in seconds, (L + 1,)."""
        return self.offset + self.clip_length * np.arange(len(self.similarity) + 1)


def save_pattern_figure(
    path: str | PathLike[str], pattern: DrawnPattern, *, force: bool = False
) -> None:
    """Draw how the query leads to moments, channel by channel, and save the figure.

    Args:
        path: The file; its suffix selects the format.
        pattern: The pattern to draw.
        force: Replace a file that rdmf did not write.

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: The file exists, and rdmf did not write it.
        RdmfError: The file cannot be written, or the format is unknown.
    """
    channels, edges = range(len(pattern.names)), pattern.edges
    figure, axes = _figure(len(channels))
    check_format(figure, Path(path))
    check_target(path, force=force, what=WHAT)
    heading = shorten(one_line(pattern.title), LONGEST_TITLE, placeholder=" …")
    axes["similarity", 0].set_title(heading, loc="left", parse_math=False)
    _draw_similarity(axes["similarity", 0], pattern.similarity, pattern.moments, edges)
    _draw_change(axes["change", 0], pattern.change, edges)
    for c, name in enumerate(pattern.names):
        _draw_rates(axes["r", c], name, pattern.r[c], float(pattern.r_star[c]), edges)
        axes["u", c].set_ylabel("pseudo-time (steps)")
    axes["r", 0].set_title("r, reaction rate (per unit time)", loc="left", fontsize="medium")
    columns = {key: [axes[key, c] for c in channels] for key in "ruv"}
    u_label, v_label = "u, unused visual evidence", "v, pattern of the query"
    _draw_fields(figure, columns["u"], pattern.u_trace, edges, U_COLOURS, u_label)
    _draw_fields(figure, columns["v"], pattern.v_trace, edges, V_COLOURS, v_label)
    for (key, _), axis in axes.items():
        mark_time(axis, edges, TICKS if key in TOP else TICKS // 2)
    for column in columns.values():
        column[-1].set_xlabel("time in the video (m:ss)")
    _save(figure, Path(path), force)


def _figure(channels: int) -> tuple[Figure, dict[tuple[str, int], Axes]]:
    """Place similarity and change at the top, and one row per channel (r, u, v) below them."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtra("drawing figures", "plot") from None
    heights = [*TOP.values(), *[CHANNEL_HEIGHT] * channels]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained", dpi=DOTS)
    grid = figure.add_gridspec(len(heights), 3, height_ratios=heights)
    axes = {(key, 0): figure.add_subplot(grid[row, :]) for row, key in enumerate(TOP)}
    for c in range(channels):
        row = len(TOP) + c
        axes |= {(key, c): figure.add_subplot(grid[row, n]) for n, key in enumerate("ruv")}
    return figure, axes


def _draw_similarity(
    axis: Axes, similarity: Values, moments: Sequence[Moment], edges: Values
) -> None:
    axis.stairs(similarity, edges, color=BLUE, linewidth=line_width(edges))
    axis.set_ylabel("similarity")
    rows = lanes(moments, TimeAxis(edges[0], edges[-1], COLUMNS), most=LANES)
    axis.margins(y=0.05 + LANE * len(rows))
    for lane, row in enumerate(rows):
        for mark in row:
            mark_moment(axis, mark.moment, 1 - LANE * (lane + 0.5))


def mark_moment(axis: Axes, moment: Moment, height: float) -> None:
    """Draw a moment with its rank at `height` (a share of the axis); lower ranks are fainter."""
    axis.axvspan(
        moment.start, moment.end, color=ORANGE, alpha=0.35 / moment.rank, linewidth=0, zorder=0
    )
    across = axis.get_xaxis_transform()
    axis.plot([moment.start, moment.end], [height] * 2, color=ORANGE, transform=across)
    middle, rank = (moment.start + moment.end) / 2, str(moment.rank)
    text = axis.text(middle, height, rank, color=ORANGE, ha="center", va="center")
    text.set(transform=across, bbox=PAPER, in_layout=False, clip_on=True)


def _draw_change(axis: Axes, change: Values, edges: Values) -> None:
    """Draw the change between two clips from the middle of one to the middle of the next."""
    if len(change):
        axis.stairs(change, (edges[:-1] + edges[1:]) / 2, fill=True, color=GREY)
    axis.set_ylabel("visual\nchange")


def _draw_rates(axis: Axes, name: str, r: Values, r_star: float, edges: Values) -> None:
    """Draw the rate; fill the curve above r*: there a clip can stay active."""
    axis.stairs(r, edges, color=BLUE, linewidth=line_width(edges))
    top = float(np.max(r, initial=0.0))
    if np.isfinite(r_star):
        active = np.where(r >= r_star, r, np.nan)
        axis.stairs(active, edges, baseline=r_star, fill=True, color=GREEN, alpha=0.45)
        axis.axhline(r_star, color=ORANGE, linestyle="--")
        top = max(top, r_star)
    axis.set_title(f"r* = {r_star:.3g}", loc="right", color=ORANGE, fontsize="medium")
    axis.set_ylim(0, 1.15 * top or 1.0)
    axis.set_ylabel(name, fontweight="bold", parse_math=False)


def _draw_fields(
    figure: Figure, axes: list[Axes], traces: Values, edges: Values, colours: str, label: str
) -> None:
    """Draw a field (N + 1, C, L), pseudo-time downward, on one scale for all channels."""
    extent = (edges[0], edges[-1], len(traces) - 0.5, -0.5)
    top = float(np.max(traces, initial=0.0)) or 1.0
    for c, axis in enumerate(axes):
        image = axis.imshow(
            traces[:, c], aspect="auto", extent=extent, cmap=colours, vmin=0, vmax=top
        )
    figure.colorbar(image, ax=axes, location="top", label=label, aspect=40)


def line_width(edges: Values) -> float:
    """Return the width of a line in points: thin if there are many clips.

    Args:
        edges: Borders of the clips in seconds, (L + 1,).
    """
    return 1.4 if len(edges) < MANY_CLIPS else 0.6


def mark_time(axis: Axes, edges: Values, most: int) -> None:
    """Set ticks at round times on the axis of time.

    Args:
        axis: The axes.
        edges: Borders of the clips in seconds, (L + 1,).
        most: The largest number of distances between ticks.
    """
    step = tick_step(float(edges[-1] - edges[0]), most)
    first = np.ceil(edges[0] / step) * step
    ticks = np.arange(first, edges[-1] + step * 1e-6, step)
    axis.set_xlim(edges[0], edges[-1])
    axis.set_xticks(ticks, [clock(tick, decimals=0 if step >= 1 else 1) for tick in ticks])


def check_format(figure: Figure, path: Path) -> None:
    """Raise RdmfError if the suffix of a path is not a figure format."""
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in known:
        todo = f"choose one of: {', '.join(known)}"
        raise RdmfError("does not end with the suffix of a figure format", path, todo)


def _save(figure: Figure, path: Path, force: bool) -> None:
    form = path.suffix.lstrip(".").lower()

    def draw(file: BinaryIO) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # letters that the font lacks
            figure.savefig(file, format=form, metadata=UNDATED.get(form))

    write_whole(path, draw, force=force, what=WHAT, todo="choose another file")

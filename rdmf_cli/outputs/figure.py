"""The pattern as a figure for paper or screen (matplotlib, the [plot] part of rdmf)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
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

Field = NDArray[np.floating]

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"  # told apart by everyone
U_COLOURS, V_COLOURS = "cividis", "inferno"  # steadily brighter
WIDTH, CHANNEL_HEIGHT = 13.0, 2.1  # inches
TOP = {"similarity": 2.4, "change": 0.9}  # inches
DOTS = 130  # an inch
TICKS = 8
COLUMNS, LANES, LANE = 100, 6, 0.09  # moments side by side; height of a lane, share of the axis
PAPER: dict[str, object] = {"facecolor": "white", "edgecolor": "none", "boxstyle": "round,pad=0.15"}
LONGEST_TITLE = 120  # characters
MANY_CLIPS = 600  # from here on lines are thin
WHAT = "the figure"
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}  # else they carry today's date


def save_pattern_figure(
    path: str | PathLike[str],
    *,
    similarity: Field,
    change: Field,
    r: Field,
    r_star: Field,
    u_trace: Field,
    v_trace: Field,
    moments: Sequence[Moment],
    clip_length: float,
    offset: float = 0.0,
    names: Sequence[str],
    title: str = "",
    force: bool = False,
) -> None:
    """Draw how the query became moments, channel by channel; the suffix of `path` is the format.

    similarity:        (L,) of clip and query
    change:            (L - 1,) visual change from clip to clip
    r, r_star:         (C, L) reaction rates, (C,) the rate above which a clip can stay lit
    u_trace, v_trace:  (N + 1, C, L) the fields at the start and after each of N steps
    clip_length, offset: seconds
    names:             C names of channels
    force:             replace a file that rdmf did not write

    Raises MissingExtra without matplotlib, UsageError for a file that rdmf did not write, RdmfError
    where `path` cannot be written.
    """
    figure, axes = _figure(len(names))
    _check_format(figure, Path(path))
    check_target(path, force=force, what=WHAT)
    edges = offset + clip_length * np.arange(len(similarity) + 1)  # seconds, (L + 1,)
    heading = shorten(one_line(title), LONGEST_TITLE, placeholder=" …")
    axes["similarity", 0].set_title(heading, loc="left", parse_math=False)
    _draw_similarity(axes["similarity", 0], similarity, moments, edges)
    _draw_change(axes["change", 0], change, edges)
    for c, name in enumerate(names):
        _draw_rates(axes["r", c], name, r[c], float(r_star[c]), edges)
        axes["u", c].set_ylabel("pseudo-time (steps)")
    axes["r", 0].set_title("r, reaction rate (per unit time)", loc="left", fontsize="medium")
    columns = {key: [axes[key, c] for c in range(len(names))] for key in "ruv"}
    _draw_fields(figure, columns["u"], u_trace, edges, U_COLOURS, "u, what the video still offers")
    _draw_fields(figure, columns["v"], v_trace, edges, V_COLOURS, "v, what the query has lit")
    for (key, _), axis in axes.items():
        _mark_time(axis, edges, TICKS if key in TOP else TICKS // 2)
    for column in columns.values():
        column[-1].set_xlabel("time in the video (m:ss)")
    _save(figure, Path(path), force)


def _figure(channels: int) -> tuple[Figure, dict[tuple[str, int], Axes]]:
    """Similarity and change across the top, then a row a channel: r, u and v."""
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
    axis: Axes, similarity: Field, moments: Sequence[Moment], edges: Field
) -> None:
    axis.stairs(similarity, edges, color=BLUE, linewidth=_line_width(edges))
    axis.set_ylabel("similarity")
    rows = lanes(moments, TimeAxis(edges[0], edges[-1], COLUMNS), most=LANES)
    axis.margins(y=0.05 + LANE * len(rows))
    for lane, row in enumerate(rows):
        for mark in row:
            _mark_moment(axis, mark.moment, 1 - LANE * (lane + 0.5))


def _mark_moment(axis: Axes, moment: Moment, height: float) -> None:
    """A span, fainter by rank, with its rank at its head (height: share of the axis)."""
    axis.axvspan(
        moment.start, moment.end, color=ORANGE, alpha=0.35 / moment.rank, linewidth=0, zorder=0
    )
    across = axis.get_xaxis_transform()
    axis.plot([moment.start, moment.end], [height] * 2, color=ORANGE, transform=across)
    middle, rank = (moment.start + moment.end) / 2, str(moment.rank)
    text = axis.text(middle, height, rank, color=ORANGE, ha="center", va="center")
    text.set(transform=across, bbox=PAPER, in_layout=False, clip_on=True)


def _draw_change(axis: Axes, change: Field, edges: Field) -> None:
    """From the middle of each clip to the middle of the next."""
    if len(change):
        axis.stairs(change, (edges[:-1] + edges[1:]) / 2, fill=True, color=GREY)
    axis.set_ylabel("visual\nchange")


def _draw_rates(axis: Axes, name: str, r: Field, r_star: float, edges: Field) -> None:
    """Filled where the rate is above r*: where a clip can stay lit (nowhere if r* is infinite)."""
    axis.stairs(r, edges, color=BLUE, linewidth=_line_width(edges))
    top = float(np.max(r, initial=0.0))
    if np.isfinite(r_star):
        lit = np.where(r >= r_star, r, np.nan)
        axis.stairs(lit, edges, baseline=r_star, fill=True, color=GREEN, alpha=0.45)
        axis.axhline(r_star, color=ORANGE, linestyle="--")
        top = max(top, r_star)
    axis.set_title(f"r* = {r_star:.3g}", loc="right", color=ORANGE, fontsize="medium")
    axis.set_ylim(0, 1.15 * top or 1.0)
    axis.set_ylabel(name, fontweight="bold", parse_math=False)


def _draw_fields(
    figure: Figure, axes: list[Axes], traces: Field, edges: Field, colours: str, label: str
) -> None:
    """(N + 1, C, L), pseudo-time downward as in the terminal, one scale for all channels."""
    extent = (edges[0], edges[-1], len(traces) - 0.5, -0.5)
    top = float(np.max(traces, initial=0.0)) or 1.0
    for c, axis in enumerate(axes):
        image = axis.imshow(
            traces[:, c], aspect="auto", extent=extent, cmap=colours, vmin=0, vmax=top
        )
    figure.colorbar(image, ax=axes, location="top", label=label, aspect=40)


def _line_width(edges: Field) -> float:
    return 1.4 if len(edges) < MANY_CLIPS else 0.6


def _mark_time(axis: Axes, edges: Field, most: int) -> None:
    step = tick_step(float(edges[-1] - edges[0]), most)
    first = np.ceil(edges[0] / step) * step
    ticks = np.arange(first, edges[-1] + step * 1e-6, step)
    axis.set_xlim(edges[0], edges[-1])
    axis.set_xticks(ticks, [clock(tick, decimals=0 if step >= 1 else 1) for tick in ticks])


def _check_format(figure: Figure, path: Path) -> None:
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in known:
        raise RdmfError("no figure format has this suffix", path, f"use one of {', '.join(known)}")


def _save(figure: Figure, path: Path, force: bool) -> None:
    form = path.suffix.lstrip(".").lower()

    def draw(file: BinaryIO) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # a script its font lacks
            figure.savefig(file, format=form, metadata=UNDATED.get(form))

    write_whole(path, draw, force=force, what=WHAT, todo="choose another file")

"""Draw in the terminal how the pattern develops: u and v over time, with pseudo-time downwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from rdmf_cli.outputs.axis import TimeAxis, largest_per_column
from rdmf_cli.outputs.terminal import BETWEEN, EDGES, FAINT, Justify, plain_table

Values = NDArray[np.floating]
Span = tuple[float, float]
Draw = Callable[[Values, int, str, bool], list[Text]]

MARGIN = 8  # columns for names, pseudo-times and the line
NARROWEST = 20  # columns of the heat map
SWATCH = 5  # columns of a scale in the legend
SHADES, SHADES_ASCII = " ░▒▓█", " .:-=+*#%@"
RAMPS = {
    "v": ((0, 0, 0), (90, 20, 80), (220, 80, 30), (255, 200, 60), (255, 255, 230)),
    "u": ((0, 0, 0), (15, 50, 100), (40, 130, 160), (150, 210, 190), (245, 255, 250)),
}  # brightness rises with the value; colour-blind people can read the ramps, too


@dataclass(frozen=True)
class PatternStrip:
    """Show a heat map of one channel of the fused field, as wide as the console.

    The map is drawn with coloured half blocks (two pseudo-times per line). If the console has no
    colours, the map is drawn with shades.

    Attributes:
        v: The start and N steps, by L clips: (N + 1, L).
        clip_length: Length of a clip in seconds.
        u: An array u of the same shape as v; None: not drawn.
        offset: Start of clip 0 in seconds.
        title: Title.
        level_sets: For each level h, the spans (seconds) with v >= h at the end; they are marked
            under the map.
        rows: Height of each map in lines.
    """

    v: Values
    clip_length: float
    u: Values | None = None
    offset: float = 0.0
    title: str = ""
    level_sets: Mapping[float, Sequence[Span]] = field(default_factory=dict)
    rows: int = 6

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        coloured = console.color_system in ("truecolor", "256") and not console.no_color
        draw = half_blocks if coloured else shades
        axis = self._axis(max(options.max_width - MARGIN, NARROWEST))
        for line in self._lines(axis, draw, options.ascii_only):
            line.no_wrap, line.overflow = True, "crop"
            yield line

    def _axis(self, columns: int) -> TimeAxis:
        end = self.offset + self.v.shape[-1] * self.clip_length
        return TimeAxis(self.offset, end, columns)

    def _lines(self, axis: TimeAxis, draw: Draw, ascii_only: bool) -> Iterator[Text]:
        if self.title:
            yield Text(self.title, style="bold")
        fields = {"v": self.v} if self.u is None else {"v": self.v, "u": self.u}
        for name, trace in fields.items():
            yield from self._heat(name, trace, axis, draw, ascii_only)
        line, labels = axis.lines(ascii_only)
        yield Text(" " * (MARGIN - 1) + ("+" if ascii_only else "└") + line, style=FAINT)
        yield Text(" " * MARGIN + labels, style=FAINT)
        for level, spans in sorted(self.level_sets.items(), reverse=True):
            yield self._level_set(level, spans, axis, ascii_only)
        yield self._legend(fields, draw, ascii_only)

    def _heat(
        self, name: str, trace: Values, axis: TimeAxis, draw: Draw, ascii_only: bool
    ) -> Iterator[Text]:
        """Draw a field from the start of pseudo-time (top) to the end, on its own scale."""
        values = largest_per_column(trace, axis.columns) / (_top(trace) or 1.0)
        heads = [f"{name}  t=0", *[""] * (self.rows - 2), f"t={len(trace) - 1}"]
        line = "|" if ascii_only else "│"
        for head, row in zip(heads, draw(values, self.rows, name, ascii_only), strict=True):
            yield Text.assemble((f"{head:>{MARGIN - 2}} {line}", FAINT), row)

    def _level_set(
        self, level: float, spans: Sequence[Span], axis: TimeAxis, ascii_only: bool
    ) -> Text:
        """Mark the columns in which the pattern reaches a level."""
        signs = [" "] * axis.columns
        for start, end in spans:
            first, past = axis.columns_of(start, end)
            signs[first:past] = ("=" if ascii_only else "━") * (past - first)
        head = f"v>{level:.2g}" if ascii_only else f"v≥{level:.2g}"
        return Text.assemble((f"{head:>{MARGIN - 1}} ", FAINT), ("".join(signs), "yellow"))

    def _legend(self, fields: Mapping[str, Values], draw: Draw, ascii_only: bool) -> Text:
        legend = Text(" " * MARGIN)
        for name, trace in fields.items():
            swatch = draw(np.linspace([0.0] * 2, [1.0] * 2, SWATCH, axis=1), 1, name, ascii_only)
            legend += Text.assemble((f"{name} 0 ", FAINT), *swatch)
            legend.append(f" {_top(trace):.3g}   ", style=FAINT)
        return legend.append("t: steps of pseudo-time", style=FAINT)


def half_blocks(values: Values, rows: int, name: str, ascii_only: bool = False) -> list[Text]:
    """Draw values as lines of `▀`: the upper half shows one pseudo-time, the lower half the next.

    Args:
        values: In [0, 1], (T, columns).
        rows: Number of lines.
        name: The field, "u" or "v", which sets the colours.
        ascii_only: Not used.
    """
    pairs = _sampled(values, 2 * rows).reshape(rows, 2, -1)
    return [_coloured(upper, lower, name) for upper, lower in pairs]


def shades(values: Values, rows: int, name: str = "v", ascii_only: bool = False) -> list[Text]:
    """Draw values as lines of ` ░▒▓█`.

    Args:
        values: In [0, 1], (T, columns).
        rows: Number of lines.
        name: Not used.
        ascii_only: Draw with ` .:-=+*#%@`.
    """
    signs = SHADES_ASCII if ascii_only else SHADES
    steps = np.rint(np.clip(_sampled(values, rows), 0, 1) * (len(signs) - 1)).astype(int)
    return [Text("".join(signs[step] for step in row)) for row in steps]


def _top(trace: Values) -> float:
    return float(trace.max(initial=0.0))


def _sampled(values: Values, rows: int) -> Values:
    """Return `rows` evenly spread pseudo-times, with the first and the last."""
    sampled: Values = values[np.rint(np.linspace(0, len(values) - 1, rows)).astype(int)]
    return sampled


def _coloured(upper: Values, lower: Values, name: str) -> Text:
    styles = (
        Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
        for above, below in zip(_rgb(upper, name), _rgb(lower, name), strict=True)
    )
    return Text.assemble(*(("▀", style) for style in styles))


def _rgb(values: Values, name: str) -> list[tuple[int, int, int]]:
    anchors = np.asarray(RAMPS[name], dtype=float)  # (K, 3)
    places = np.linspace(0, 1, len(anchors))
    return [
        (int(red), int(green), int(blue))
        for red, green, blue in zip(*(np.interp(values, places, c) for c in anchors.T), strict=True)
    ]


@dataclass(frozen=True)
class RegimeTable:
    """Show the rates and the regime of each channel, one row per channel.

    If the console is too narrow, the table has one column per channel.

    Attributes:
        rows: One dictionary per channel with the keys of `RegimeTable.HEADS`. `spacing` is the
            distance between moments in seconds; `r*` is the threshold, the reaction rate that an
            active clip needs. A value that is missing or None is shown as a dash.
    """

    rows: Sequence[Mapping[str, Any]]

    HEADS = ("channel", "D_u", "D_v", "F", "k", "dt", "r*", "spacing", "regime")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        heads, *body = self._cells(options.ascii_only)
        if _width(heads, *body) > options.max_width:
            heads, *body = map(list, zip(heads, *body, strict=True))
        sides = [_justify([row[column] for row in body]) for column in range(len(heads))]
        table = plain_table(options.ascii_only, zip(heads, sides, strict=True))
        for row in body:
            table.add_row(*map(Text, row))
        yield table
        yield Text()

    def _cells(self, ascii_only: bool) -> list[list[str]]:
        heads = ["spacing (s)" if head == "spacing" else head for head in self.HEADS]
        return [heads, *([_cell(row.get(h), ascii_only) for h in self.HEADS] for row in self.rows)]


def _width(*rows: list[str]) -> int:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return sum(widths) + BETWEEN * (len(widths) - 1) + EDGES


def _justify(cells: Sequence[str]) -> Justify:
    """Align numbers to the right and words to the left."""
    return "right" if all(cell[-1:].isdigit() or cell in ("-", "–") for cell in cells) else "left"


def _cell(value: object, ascii_only: bool) -> str:
    if value is None:
        return "-" if ascii_only else "–"
    return f"{value:.3g}" if isinstance(value, (float, np.floating)) else str(value)

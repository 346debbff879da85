"""Draw pictures of moments in the terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
from PIL import Image
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from rdmf_cli.handover.stills import stills, times_in
from rdmf_cli.moments.types import Answer, Moment
from rdmf_cli.text import clock

GAP: Final = 2  # columns between two pictures
MOST_ROWS: Final = 8  # of one picture; two moments and their lines fit 24 rows
SHADES: Final = " .:-=+*#%@"  # from dark to bright
UPPER_HALF: Final = "▀"

Cells = list[list[Segment]]


class PictureRow:
    """Draw pictures side by side, with two pixels per character.

    Without colours, or where only ASCII is printed, the brightness is drawn.

    Args:
        images: RGB pictures of one size, uint8 (H, W, 3).
    """

    def __init__(self, images: Sequence[np.ndarray]):
        self.images = images

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = columns_of_each(options.max_width, len(self.images))
        plain = options.ascii_only or console.no_color or console.color_system is None
        draw = _by_brightness if plain else _half_blocks
        for parts in zip(*(draw(_fitted(image, columns)) for image in self.images), strict=True):
            for number, part in enumerate(parts):
                yield from [Segment(" " * GAP)] * (number > 0)
                yield from part
            yield Segment.line()


def columns_of_each(width: int, pictures: int) -> int:
    """Return the columns of each of several pictures side by side."""
    return max(1, (width - GAP * (pictures - 1)) // pictures)


def _fitted(image: np.ndarray, columns: int) -> np.ndarray:
    """Scale a picture to `columns` columns or `MOST_ROWS` rows; its height in pixels is even."""
    height, width = image.shape[:2]
    scale = min(columns / width, 2 * MOST_ROWS / height)
    rows = max(1, round(scale * height / 2))
    size = max(1, min(columns, round(scale * width))), 2 * rows
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _half_blocks(image: np.ndarray) -> Cells:
    """Draw two pixels per character: the upper in the text's colour, the lower behind it."""
    return [
        [_cell(upper, lower) for upper, lower in zip(above, below, strict=True)]
        for above, below in zip(image[::2].tolist(), image[1::2].tolist(), strict=True)
    ]


def _cell(upper: Sequence[int], lower: Sequence[int]) -> Segment:
    colours = Color.from_rgb(*upper), Color.from_rgb(*lower)
    return Segment(UPPER_HALF, Style.from_color(*colours))


def _by_brightness(image: np.ndarray) -> Cells:
    grey = image.mean(axis=2)
    pairs = (grey[::2] + grey[1::2]) / 2
    shades = np.minimum(pairs / 256 * len(SHADES), len(SHADES) - 1).astype(int)
    return [[Segment("".join(SHADES[shade] for shade in row))] for row in shades]


def in_one(images: Sequence[np.ndarray]) -> Image.Image:
    """Put pictures, uint8 (H, W, 3) of one size, side by side, with a transparent gap."""
    height, width = images[0].shape[:2]
    gap = max(1, width // 40)
    whole = Image.new("RGBA", (len(images) * (width + gap) - gap, height))
    for number, image in enumerate(images):
        whole.paste(Image.fromarray(image), (number * (width + gap), 0))
    return whole


def pixels_of_terminal() -> Callable[[Image.Image, int, int], Any] | None:
    """Return what draws true pixels (kitty, sixel), or None: then characters are drawn.

    textual-image asks the terminal what it can, when it is imported.
    """
    if not (sys.stdout and sys.stdout.isatty()) or os.environ.get("NO_COLOR"):
        return None
    if os.environ.get("TERM") == "dumb":  # such a terminal would show the question
        return None
    with suppress(OSError, ValueError):  # stdout has no file
        if 0 in os.get_terminal_size(sys.stdout.fileno()):  # textual-image divides by it
            return None
    # A terminal that does not answer is no fault: textual-image would log a traceback.
    logging.getLogger("textual_image").setLevel(logging.CRITICAL)
    try:
        from textual_image import renderable
    except ImportError:
        return None
    if renderable.Image in (renderable.HalfcellImage, renderable.UnicodeImage):
        return None
    drawn: Any = renderable.Image
    return lambda image, width, height: drawn(image, width=width, height=height)


def pictures_of(answer: Answer, console: Console) -> Iterator[Any]:
    """Yield what to print: for each moment a line of its times and score, then its pictures.

    Args:
        answer: The answer.
        console: The console that will print it.

    Raises:
        RdmfError: The video cannot be read.
    """
    times = [time for moment in answer.moments for time in times_in(moment)]
    images = stills(answer.video, times)
    each = len(images) // max(1, len(answer.moments))
    draw = pixels_of_terminal()
    for number, moment in enumerate(answer.moments):
        own = images[each * number : each * (number + 1)]
        yield _line(moment)
        yield PictureRow(own) if draw is None else as_pixels(own, console.width, draw)


def _line(moment: Moment) -> Text:
    span = f"{clock(moment.start)} - {clock(moment.end)}"
    return Text(f"#{moment.rank}  {span}  ").append(f"score {moment.score:.2f}", style="dim")


def as_pixels(
    images: Sequence[np.ndarray], width: int, draw: Callable[[Image.Image, int, int], Any]
) -> Any:
    """Draw pictures as one, in the cells that characters would take.

    Args:
        images: RGB pictures of one size, uint8 (H, W, 3).
        width: Columns of the terminal.
        draw: As `pixels_of_terminal` returns it.
    """
    columns = columns_of_each(width, len(images))
    rows, used = _rows_and_columns(images[0], columns)
    return draw(in_one(images), len(images) * used + GAP * (len(images) - 1), rows)


def _rows_and_columns(image: np.ndarray, columns: int) -> tuple[int, int]:
    height, width = _fitted(image, columns).shape[:2]
    return height // 2, width

"""Draw bars and areas as text, in eighths of a character."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RISING = " ▁▂▃▄▅▆▇█"
RISING_ASCII = " .:#"
GROWING = " ▏▎▍▌▋▊▉█"


def bar(share: float, columns: int, ascii_only: bool = False) -> str:
    """Draw a horizontal bar; a share above 0 is always visible.

    >>> bar(0.5, 5), bar(0.5, 5, ascii_only=True)
    ('██▌', '###')

    Args:
        share: Length as a share of the columns, 0 to 1.
        columns: Number of columns.
        ascii_only: Draw with `#`.
    """
    if ascii_only:
        return "#" * _steps(share, columns)
    full, eighths = divmod(_steps(share, columns * 8), 8)
    return "█" * full + GROWING[eighths].strip()


def area(shares: NDArray[np.floating], rows: int, ascii_only: bool = False) -> list[str]:
    """Draw the area under a curve.

    Args:
        shares: Heights, 0 to 1, one per column, (columns,).
        rows: Number of lines.
        ascii_only: Draw with `.:#`.

    Returns:
        The lines, from the top.
    """
    signs = RISING_ASCII if ascii_only else RISING
    most = len(signs) - 1
    heights = np.rint(np.clip(shares, 0, 1) * rows * most).astype(int)
    filled = [np.clip(heights - row * most, 0, most) for row in reversed(range(rows))]
    return ["".join(signs[step] for step in row) for row in filled]


def _steps(share: float, most: int) -> int:
    return 0 if share <= 0 else max(1, round(min(share, 1.0) * most))

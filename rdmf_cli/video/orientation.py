"""The rotation and the mirroring that turn a stored picture upright."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

MOST_OBLONG = 20  # the widest believable pixel, width / height; anamorphic film has 2


@dataclass(frozen=True)
class Orientation:
    """A turn by right angles, with or without mirroring: transpose first, then mirror.

    Attributes:
        transpose: Swap rows and columns.
        mirror_rows: Reverse the order of the rows (upside down).
        mirror_columns: Reverse the order of the columns (left and right).
    """

    transpose: bool = False
    mirror_rows: bool = False
    mirror_columns: bool = False

    @property
    def degrees(self) -> int:
        """The clockwise turn without the mirroring: 0, 90, 180 or 270 degrees."""
        turned = (self.transpose, self.mirror_rows)
        return {(False, False): 0, (True, False): 90, (False, True): 180, (True, True): 270}[turned]

    @property
    def mirrored(self) -> bool:
        """Whether the picture is mirrored, so that a turn alone does not make it upright."""
        return (self.transpose + self.mirror_rows + self.mirror_columns) % 2 == 1

    def upright(self, image: np.ndarray) -> np.ndarray:
        """Turn a stored picture (H, W, 3) upright: (H, W, 3) or (W, H, 3), contiguous."""
        if self.transpose:
            image = image.transpose(1, 0, 2)
        if self.mirror_rows:
            image = image[::-1]
        if self.mirror_columns:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) of an upright picture from its stored width and height."""
        return (height, width) if self.transpose else (width, height)


def from_display_matrix(matrix: bytes | None) -> Orientation:
    """Convert FFmpeg's display matrix to the nearest turn by right angles.

    A stored point (p, q) is shown at (a p + c q, b p + d q), y downwards (libavutil/display.h).

    Args:
        matrix: Nine 32-bit integers in the machine's byte order, 36 bytes; None: not turned.
    """
    if not matrix or len(matrix) < 36:
        return Orientation()
    a, b, _, c, d = struct.unpack("=5i", matrix[:20])
    if math.hypot(a, d) >= math.hypot(b, c):
        return Orientation(False, d < 0, a < 0)
    return Orientation(True, b < 0, c < 0)

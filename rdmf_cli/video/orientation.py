"""How a stored picture is turned to stand upright."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

MOST_OBLONG = 20  # times; a pixel of anamorphic film is twice as wide as high


@dataclass(frozen=True)
class Orientation:
    """Transpose first, then mirror: every turn by right angles, with or without a mirror."""

    transpose: bool = False
    mirror_rows: bool = False
    mirror_columns: bool = False

    @property
    def degrees(self) -> int:
        """Clockwise turn that makes the picture upright: 0, 90, 180 or 270 (mirrors aside)."""
        turned = (self.transpose, self.mirror_rows)
        return {(False, False): 0, (True, False): 90, (False, True): 180, (True, True): 270}[turned]

    @property
    def mirrored(self) -> bool:
        """Whether no turn alone makes the picture right."""
        return (self.transpose + self.mirror_rows + self.mirror_columns) % 2 == 1

    def upright(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) as stored → (H, W, 3) or (W, H, 3) as seen, contiguous."""
        if self.transpose:
            image = image.transpose(1, 0, 2)
        if self.mirror_rows:
            image = image[::-1]
        if self.mirror_columns:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) as stored → as seen."""
        return (height, width) if self.transpose else (width, height)


def from_display_matrix(matrix: bytes | None) -> Orientation:
    """FFmpeg's display matrix (nine 32-bit integers) to the nearest turn by right angles.

    A stored point (p, q) is shown at (a p + c q, b p + d q), y downwards (libavutil/display.h).
    """
    if not matrix or len(matrix) < 36:
        return Orientation()
    a, b, _, c, d = struct.unpack("=5i", matrix[:20])
    if math.hypot(a, d) >= math.hypot(b, c):
        return Orientation(False, d < 0, a < 0)
    return Orientation(True, b < 0, c < 0)

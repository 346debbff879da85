"""Still frames: frames that show the same as the last encoded frame, as with a fixed camera.

A frame is compared in blocks. So the noise of a camera and of a codec, which has a mean of 0 in a
block, counts little, and an object that moves anywhere in the picture counts.
"""

from __future__ import annotations

import numpy as np

BLOCKS = 90
"""Number of blocks along the short side of a frame: in 720p, a block has 8 x 8 pixels."""


class StillFrames:
    """Compares each frame with the last frame that was encoded.

    Args:
        bound: A frame is still if the mean of each block and colour differs from the last encoded
            frame by at most this number of levels (of 255). 0: no frame is still, not even an equal
            one.
    """

    def __init__(self, bound: float):
        self._bound = bound
        self._last: np.ndarray | None = None

    def is_still(self, image: np.ndarray) -> bool:
        """Compare a frame; if it is not still, later frames are compared with it.

        Args:
            image: RGB, uint8 (H, W, 3).
        """
        if not self._bound:
            return False
        blocks, last = _blocks(image), self._last
        is_like = last is not None and last.shape == blocks.shape
        if is_like and np.abs(blocks - last).max() <= self._bound:
            return True
        self._last = blocks
        return False


def _blocks(image: np.ndarray) -> np.ndarray:
    """Return the means of blocks, float32 (H', W', 3), in levels."""
    side = max(1, min(image.shape[:2]) // BLOCKS)
    height, width = (length // side for length in image.shape[:2])
    if not (height and width):
        return image.astype(np.float32)
    whole = image[: height * side, : width * side]
    rows = whole.reshape(height, side, -1).sum(axis=1, dtype=np.uint32)
    sums = rows.reshape(height, width, side, 3).sum(axis=2)
    means: np.ndarray = sums.astype(np.float32) / np.float32(side * side)
    return means

"""Reading of pictures from a pipe."""

from __future__ import annotations

from typing import IO

import numpy as np

from rdmf_cli.video.sizes import is_huge


def read_image(pipe: IO[bytes], height: int, width: int) -> np.ndarray | None:
    """Read the next picture from a pipe.

    Args:
        pipe: Open at the first of height * width * 3 bytes.
        height: Height in pixels.
        width: Width in pixels.

    Returns:
        uint8 (H, W, 3), writable. None: the pipe ends early, or the picture is too large.
    """
    if is_huge(width - 1, height - 1):  # minus 1, because width and height were rounded
        return None
    image = np.empty((height, width, 3), np.uint8)
    read = pipe.readinto(image.data.cast("B"))  # type: ignore[attr-defined]
    return image if read == image.nbytes else None

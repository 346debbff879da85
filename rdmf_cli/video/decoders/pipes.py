"""Pictures that come through a pipe."""

from __future__ import annotations

from typing import IO

import numpy as np

from ..sizes import is_huge


def read_image(pipe: IO[bytes], height: int, width: int) -> np.ndarray | None:
    """The next height * width * 3 bytes as uint8 (H, W, 3), writable.

    None where they end early, or are more than any picture has.
    """
    if is_huge(width - 1, height - 1):  # both were rounded
        return None
    image = np.empty((height, width, 3), np.uint8)
    read = pipe.readinto(image.data.cast("B"))  # type: ignore[attr-defined]
    return image if read == image.nbytes else None

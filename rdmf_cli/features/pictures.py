"""Pictures as parts of a query: read from an image file, or decoded from a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rdmf_cli.errors import RdmfError
from rdmf_cli.files import unreadable

LONGEST_NAME = 1000
MOMENT = 0.1  # seconds; the frame at a time is found as the frame of a clip of this length


def read_picture(path: Path) -> np.ndarray:
    """Read an image file, upright, as uint8 RGB (H, W, 3).

    Raises:
        RdmfError: There is no such file, or Pillow cannot read it as a picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except UnidentifiedImageError as error:
        todo = "give a JPEG, PNG or WebP file"
        raise RdmfError("this file is not a picture", path, todo) from error
    except OSError as error:
        raise unreadable(path, error, "the picture", "check its name, and that it opens") from error
    except (ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RdmfError(
            f"the picture cannot be read ({error})", path, "give another file"
        ) from error


def is_picture(name: str) -> bool:
    """Return whether a name has the suffix of an image file."""
    from PIL import Image

    Image.init()
    path = Path(name)
    return len(name) < LONGEST_NAME and path.suffix.lower() in Image.EXTENSION


def frame_at(path: Path, seconds: float, decoder: str = "auto") -> np.ndarray:
    """Decode the frame that a video shows at a time, as uint8 RGB (H, W, 3).

    Args:
        path: The video.
        seconds: The time in seconds, as a player shows it.
        decoder: A name in `DECODERS`, or "auto".

    Raises:
        RdmfError: The file cannot be read, or the video ends before this time.
    """
    from rdmf_cli.video import open_clips

    with open_clips(path, MOMENT, decoder=decoder, start=seconds, end=seconds + MOMENT) as clips:
        for _, frame in clips:
            return frame.image
    raise RdmfError(f"there is no picture at {seconds:g} s", path, "name an earlier time")

"""How large pictures may be, whatever a file says: in memory, and as they are handed on."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

from av.codec import Codec

from rdmf_cli.errors import RdmfError

from .orientation import MOST_OBLONG

# A picture of up to this size is handed on as it is; a larger one (8K has 33.2 million pixels) is
# scaled down to it by the decoder, so that it is never held at its full size in RGB.
MOST_PIXELS = 36_000_000
MOST_SIDE = 16_384  # pixels

# What one decoded picture may take. A decoder holds two, and several in a codec that leans on
# earlier pictures.
MOST_BYTES_ALONE = 400_000_000
MOST_BYTES_OF_SEVERAL = 200_000_000
BYTES_OF_THREADS = 300_000_000  # each thread holds a picture of its own
FFMPEG_THREADS = 16  # at most, where it chooses itself
UNKNOWN_BITS = 32  # per pixel, where a file does not tell its pixel format before it is decoded


def displayed_size(width: int, height: int, pixel_shape: Any) -> tuple[int, int]:
    """Return the (width, height) that a stored picture is scaled to, with square pixels.

    The short side of a pixel is drawn out, so that nothing is lost; a picture that is too large
    then is scaled down as a whole. Pixels more oblong than any camera's (`MOST_OBLONG`) are damage
    in the header: they are taken as square.

    Args:
        width: stored width in pixels.
        height: stored height in pixels.
        pixel_shape: width / height of a pixel.
    """
    wide, high = _drawn_out(width, height, pixel_shape)
    shrink = min(1.0, sqrt(MOST_PIXELS / (wide * high)), MOST_SIDE / wide, MOST_SIDE / high)
    if shrink == 1:
        return round(wide), round(high)
    return max(1, round(wide * shrink)), max(1, round(high * shrink))


def _drawn_out(width: int, height: int, pixel_shape: Any) -> tuple[Any, Any]:
    if not 1 / MOST_OBLONG <= pixel_shape <= MOST_OBLONG:
        return width, height
    return width * max(pixel_shape, 1), height * max(1 / pixel_shape, 1)


def is_huge(width: int, height: int) -> bool:
    """Whether a stored picture is larger than any that is handed on."""
    return width * height > MOST_PIXELS


def size_note(stored: tuple[int, int], pixel_shape: Any, shown: tuple[int, int]) -> tuple[str, ...]:
    """Say that pictures are scaled down, where they are."""
    wide, high = map(round, _drawn_out(*stored, pixel_shape))
    if (wide, high) == shown:
        return ()
    return (f"its pictures of {wide} x {high} pixels are scaled to {shown[0]} x {shown[1]}",)


class Bearing(NamedTuple):
    """What decoding a video may take.

    most_pixels: of one picture, also of those that the header does not speak of
    threads:     how many may decode; 0: as many as FFmpeg chooses
    """

    most_pixels: int
    threads: int


def bearing(path: Path, codec: str, bits: int, width: int, height: int) -> Bearing:
    """Refuse a video of which one decoded picture would take too much memory.

    Args:
        path: the video, for the error.
        codec: FFmpeg's name of its decoder.
        bits: of memory per pixel, as decoded; 0 where not known.
        width: stored width in pixels.
        height: stored height in pixels.

    Raises:
        RdmfError: its pictures are too large.
    """
    bits = bits or UNKNOWN_BITS
    size = width * height * bits // 8
    limit = MOST_BYTES_ALONE if _stand_alone(codec) else MOST_BYTES_OF_SEVERAL
    if size > limit:
        raise RdmfError(
            f"one of its pictures, {width} x {height} pixels, would take {size / 1e6:.0f} MB of "
            f"memory; up to {limit / 1e6:.0f} MB are decoded in its codec",
            path,
            "scale it down first, for example: ffmpeg -i INPUT -vf scale=1920:-2 OUTPUT.mp4",
        )
    threads = max(1, BYTES_OF_THREADS // max(size, 1))
    return Bearing(limit * 8 // bits, threads if threads < FFMPEG_THREADS else 0)


def _stand_alone(codec: str) -> bool:
    """Whether each picture of a codec is decoded by itself; FFmpeg does not say it of PNG."""
    try:
        return codec == "png" or Codec(codec, "r").intra_only
    except ValueError:  # a decoder that the ffmpeg program has and PyAV has not
        return False

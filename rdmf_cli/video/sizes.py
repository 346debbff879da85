"""Limits on the size of pictures in memory, during decoding and after it."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

from av.codec import Codec

from rdmf_cli.errors import RdmfError
from rdmf_cli.video.orientation import MOST_OBLONG
from rdmf_cli.video.references import most_kept

# The decoder scales a larger picture down to this size, so that the picture never exists at full
# size in RGB. (8K has 33.2 million pixels.)
MOST_PIXELS = 36_000_000
MOST_SIDE = 16_384  # pixels

# The memory that one decoded picture may take. A decoder holds two pictures; for a codec that
# predicts pictures from earlier pictures, it holds several.
MOST_BYTES_ALONE = 400_000_000
MOST_BYTES_OF_SEVERAL = 200_000_000
BYTES_OF_THREADS = 300_000_000  # for all threads; each thread holds one picture
FFMPEG_THREADS = 16  # the largest number of threads that FFmpeg starts by itself
# FFmpeg's largest allocation: a picture, or a packet with FFmpeg's reserve of a sixteenth. Up to
# three packets are in memory together, so each may have at most MOST_BYTES_OF_A_PACKET.
MOST_BYTES_AT_ONCE = 430_000_000
MOST_BYTES_OF_A_PACKET = 280_000_000
BYTES_KEPT = 1_000_000_000  # for all pictures that a decoder and its threads keep
# Bits per pixel, if the pixel format is unknown before decoding: the largest usual number.
UNKNOWN_BITS_ALONE, UNKNOWN_BITS_OF_SEVERAL = 64, 48
UNKNOWN_BITS = {"mjpeg": 32}

# FFmpeg decodes a picture while it opens a file, to learn the format; rdmf can check only later.
PROBED_PIXELS = 50_000_000  # 400 MB, at 64 bits per pixel
# If a picture has more pixels, the file is opened again with a limit that fits its codec.
PROBED_PIXELS_OF_SEVERAL = 100_000_000
PROBED_PIXELS_OF = {"mjpeg": 1 << 28}


SMALLER = "scale it down first, for example: ffmpeg -i INPUT -vf scale=1920:-2 OUTPUT.mp4"


class LargePictureError(RdmfError):
    """The pictures of a video would take too much memory with any decoder."""


def large_packet(path: Path, size: int | None = None) -> LargePictureError:
    """Return the error for a file with a packet that is too large.

    Args:
        path: The video.
        size: Bytes of the packet; None: it is so large that FFmpeg did not read it.
    """
    taken = f"takes {size / 1e6:.0f} MB of" if size else "would take too much"
    limit = f"limit: {MOST_BYTES_OF_A_PACKET / 1e6:.0f} MB"
    return LargePictureError(f"one of its packets {taken} memory ({limit})", path, SMALLER)


def probed_pixels(codec: str) -> int:
    """Return the maximum pixels of a picture that FFmpeg may decode while it opens a file.

    Args:
        codec: FFmpeg's name of the decoder.
    """
    default = PROBED_PIXELS if _stand_alone(codec) else PROBED_PIXELS_OF_SEVERAL
    return PROBED_PIXELS_OF.get(codec, default)


def displayed_size(width: int, height: int, pixel_shape: Any) -> tuple[int, int]:
    """Return the (width, height) that a stored picture is scaled to, with square pixels.

    The short side of a pixel is stretched, so that no detail is lost. A picture that is then too
    large is scaled down as a whole. If pixels are more oblong than `MOST_OBLONG`, the header is
    damaged and pixels count as square.

    Args:
        width: Stored width in pixels.
        height: Stored height in pixels.
        pixel_shape: Width / height of a pixel.
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
    """Return whether a stored picture is larger than the limit, MOST_PIXELS."""
    return width * height > MOST_PIXELS


def size_note(stored: tuple[int, int], pixel_shape: Any, shown: tuple[int, int]) -> tuple[str, ...]:
    """Return a note if pictures are scaled down.

    Args:
        stored: Stored (width, height) in pixels.
        pixel_shape: Width / height of a pixel.
        shown: (width, height) that pictures are scaled to.
    """
    wide, high = map(round, _drawn_out(*stored, pixel_shape))
    if (wide, high) == shown:
        return ()
    return (f"its pictures of {wide} x {high} pixels are scaled to {shown[0]} x {shown[1]}",)


class DecodeLimits(NamedTuple):
    """Limits for the decoder of one video.

    Attributes:
        most_pixels: Maximum pixels of a picture; a picture may be larger than the header states.
        threads: Number of decoding threads; 0: FFmpeg chooses.
    """

    most_pixels: int
    threads: int


def decode_limits(
    path: Path, codec: str, bits: int, width: int, height: int, kept: int | None = None
) -> DecodeLimits:
    """Return the limits for a video's decoder; check that its pictures do not exceed them.

    Args:
        path: The video, for the error.
        codec: FFmpeg's name of its decoder.
        bits: Bits of memory per decoded pixel; 0: unknown.
        width: Stored width in pixels.
        height: Stored height in pixels.
        kept: Number of pictures that the decoder keeps for prediction; None: the codec's maximum.

    Raises:
        LargePictureError: The pictures of the video would take too much memory.
    """
    alone = _stand_alone(codec)
    bits = bits or UNKNOWN_BITS.get(codec, UNKNOWN_BITS_ALONE if alone else UNKNOWN_BITS_OF_SEVERAL)
    size = width * height * bits // 8
    limit = MOST_BYTES_ALONE if alone else MOST_BYTES_OF_SEVERAL
    if size > limit:
        raise LargePictureError(
            f"one of its pictures, {width} x {height} pixels, would take {size / 1e6:.0f} MB of "
            f"memory (limit for its codec: {limit / 1e6:.0f} MB)",
            path,
            SMALLER,
        )
    others = 0 if alone else most_kept(codec) if kept is None else kept
    together = size * (others + 2)  # with the picture in the decoder, and the picture handed on
    if not alone and together > BYTES_KEPT:
        raise LargePictureError(
            f"its decoder keeps up to {others} other pictures of {width} x {height} pixels; "
            f"together they would take {together / 1e9:.1f} GB of memory "
            f"(limit: {BYTES_KEPT / 1e9:.1f} GB)",
            path,
            SMALLER,
        )
    threads = BYTES_OF_THREADS // max(size, 1)
    if not alone:
        threads = min(threads, BYTES_KEPT // max(size, 1) - others - 1)
    return DecodeLimits(limit * 8 // bits, max(1, threads) if threads < FFMPEG_THREADS else 0)


def needs_kept(codec: str, bits: int, width: int, height: int) -> bool:
    """Return whether the number of pictures that a video's decoder keeps decides its limits."""
    size = width * height * bits // 8
    return not _stand_alone(codec) and size * (most_kept(codec) + 2) > BYTES_KEPT


def _stand_alone(codec: str) -> bool:
    """Return whether a codec decodes each picture alone; for PNG, FFmpeg does not state this."""
    try:
        return codec == "png" or Codec(codec, "r").intra_only
    except ValueError:  # a decoder that only the ffmpeg program has
        return False

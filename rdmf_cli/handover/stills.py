"""Small pictures of a video at given times, for pages and terminals."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike

import numpy as np
from PIL import Image

from rdmf_cli.errors import RdmfError
from rdmf_cli.moments.types import Moment
from rdmf_cli.video.decoders import choose, scan
from rdmf_cli.video.decoders.base import Scan, Tally
from rdmf_cli.video.info import checked_file
from rdmf_cli.video.refine import player_times

WIDTH = 320  # pixels
QUALITY = 72  # of JPEG, 1 to 95
PLACES = (1 / 6, 1 / 2, 5 / 6)
"""The times of a moment's pictures, as shares of its length."""


def times_in(moment: Moment, places: Sequence[float] = PLACES) -> list[float]:
    """Return the times of a moment's pictures, in seconds, as a player shows time."""
    return [moment.start + place * (moment.end - moment.start) for place in places]


def stills(
    video: str | PathLike[str] | Scan, times: Sequence[float], width: int = WIDTH
) -> list[np.ndarray]:
    """Decode the frames that a player shows at given times, scaled down.

    The file is read once for all times. A time before the first frame gives the first frame; a time
    after the last frame gives the last frame. A damaged frame is replaced by the frame before it.

    Args:
        video: The file, or its scan.
        times: Seconds, as a player shows time, in any order.
        width: Maximum width of a picture, in pixels.

    Returns:
        For each time an upright RGB picture, uint8 (H, W, 3).

    Raises:
        RdmfError: The file cannot be read, or none of these frames can be decoded.
    """
    known = video if isinstance(video, Scan) else scanned(video)
    shown = known.timeline.shown
    places = np.searchsorted(player_times(known), np.asarray(times) + 1e-6, side="right") - 1
    wanted = shown[np.clip(places, 0, len(shown) - 1)]
    found = _decoded(_smaller(known, width), np.unique(wanted))
    return [
        found[max((at for at in found if at <= int(pts)), default=min(found))] for pts in wanted
    ]


def scanned(video: str | PathLike[str]) -> Scan:
    """Read a file once; several functions can then use the result.

    Raises:
        RdmfError: The file cannot be read, or contains no video.
    """
    return scan(checked_file(video))


def jpeg(image: np.ndarray, quality: int = QUALITY) -> bytes:
    """Encode an RGB picture, uint8 (H, W, 3), as JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()


def _smaller(known: Scan, width: int) -> Scan:
    share = min(1.0, width / known.info.width)
    columns, rows = (max(2, round(share * side)) for side in known.picture_size)
    return replace(known, picture_size=(columns, rows))


def _decoded(known: Scan, wanted: np.ndarray) -> dict[int, np.ndarray]:
    _, decoder = choose("auto", known)
    found = {p.wanted: p.image for p in decoder.pictures(known, wanted, Tally())}
    if not found:
        raise RdmfError("none of the frames to show can be decoded", known.info.path)
    return found

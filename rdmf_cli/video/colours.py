"""Conversion of decoded frames to RGB, for every colour matrix and transfer that a file names."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter

# Numbers of ITU-T H.273, as FFmpeg counts them, and FFmpeg's names for them.
UNSPECIFIED, BT709, BT601, BT2020 = 2, 1, 6, 9
PQ, HLG = 16, 18
MATRIX_NAMES = {UNSPECIFIED: "unknown", BT709: "bt709", BT601: "smpte170m", BT2020: "bt2020nc"}
# Colour matrices that FFmpeg's swscale cannot convert, each with the nearest matrix that it can.
NEAREST = {
    3: ("reserved", UNSPECIFIED),
    8: ("ycgco", BT709),
    10: ("bt2020c", BT2020),
    11: ("smpte2085", BT2020),
    12: ("chroma-derived-nc", UNSPECIFIED),
    13: ("chroma-derived-c", UNSPECIFIED),
    14: ("ictcp", BT2020),
    15: ("ipt-c2", BT2020),
    16: ("ycgco-re", BT709),
    17: ("ycgco-ro", BT709),
}
LAST_KNOWN = 17
# A "chroma-derived" matrix is the matrix of the standard with the same primaries.
OF_PRIMARIES = {1: BT709, 5: BT601, 6: BT601, 7: BT601, 9: BT2020}
CHROMA_DERIVED = {12, 13}


def matrix_taken(matrix: int, primaries: int = UNSPECIFIED) -> int:
    """Return the colour matrix to convert with: the file's own, or the nearest in swscale.

    Args:
        matrix: The file's colour matrix, a number of ITU-T H.273.
        primaries: The file's primaries, a number of ITU-T H.273.
    """
    if matrix in CHROMA_DERIVED:
        return OF_PRIMARIES.get(primaries, BT709)
    if matrix > LAST_KNOWN:
        return UNSPECIFIED
    return NEAREST[matrix][1] if matrix in NEAREST else matrix


def matrix_warnings(matrix: int, primaries: int = UNSPECIFIED) -> tuple[str, ...]:
    """Return a warning if the file's colour matrix is not the matrix of the conversion.

    Args:
        matrix: The file's colour matrix, a number of ITU-T H.273.
        primaries: The file's primaries, a number of ITU-T H.273.
    """
    taken = matrix_taken(matrix, primaries)
    if taken == matrix:
        return ()
    own = NEAREST[matrix][0] if matrix in NEAREST else f"number {matrix}"
    return (
        f"its colour matrix ({own}) cannot be converted; the nearest one is used "
        f"({MATRIX_NAMES[taken]}), so colours may be slightly wrong",
    )


class ToRGB:
    """A converter of frames to RGB. It makes its scaler and filters once and uses them again."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()
        self._graphs: dict[tuple[Any, ...], tuple[Any, Any, Any]] = {}

    def __call__(self, frame: Any, width: int, height: int) -> np.ndarray:
        """Convert a frame.

        Args:
            frame: An `av.VideoFrame`.
            width: Width of the result in pixels.
            height: Height of the result in pixels.

        Returns:
            RGB, uint8 (height, width, 3).

        Raises:
            FFmpegError: The frame cannot be converted.
        """
        frame.colorspace = matrix_taken(frame.colorspace, frame.color_primaries)
        if frame.color_trc in (PQ, HLG):
            picture: np.ndarray = self._from_hdr(frame, width, height).to_ndarray()
            return picture
        # PyAV 17 passes these numbers to swscale, which refuses reserved numbers.
        frame.color_trc = frame.color_primaries = UNSPECIFIED
        rgb = self._scaler.reformat(frame, width, height, "rgb24", interpolation="BICUBIC")
        return rgb.to_ndarray()

    def _from_hdr(self, frame: Any, width: int, height: int) -> Any:
        """Map HDR to the brightness and colours of an ordinary screen, as encoders expect them.

        A filter maps HDR, because `reformat` of PyAV 17 does not.
        """
        stored = _Stored(
            frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range
        )
        key = (*stored, frame.color_trc, frame.color_primaries, width, height)
        if key not in self._graphs:
            self._graphs = {key: _hdr_graph(stored, width, height)}  # only the latest graph is kept
        _, source, sink = self._graphs[key]
        source.push(frame)
        return sink.pull()


class _Stored(NamedTuple):
    """How a frame is stored: size in pixels, pixel format, colour matrix and range."""

    width: int
    height: int
    pixels: str
    matrix: int
    span: int


def _hdr_graph(stored: _Stored, width: int, height: int) -> tuple[Any, Any, Any]:
    """Build the filter from stored HDR frames to RGB; return (graph, source, sink).

    The caller must keep the graph, because source and sink hold no reference to the graph.
    """
    graph = Graph()
    shape = f"video_size={stored.width}x{stored.height}:pix_fmt={stored.pixels}:time_base=1/1"
    chain = [
        graph.add("buffer", f"{shape}:colorspace={stored.matrix}:range={stored.span}"),
        graph.add("scale", f"w={width}:h={height}:flags=bicubic:{TO_SDR}"),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    for before, after in pairwise(chain):
        before.link_to(after)
    graph.configure()
    return graph, chain[0], chain[-1]


# Options of FFmpeg's scale filter, from version 8 on.
TO_SDR = "out_transfer=bt709:out_primaries=bt709"

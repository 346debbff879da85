"""The number of pictures that a decoder keeps for prediction, by the headers of the video."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import av.logging
from av.bitstream import BitStreamFilterContext
from av.error import FFmpegError

# The maximum of each codec, by FFmpeg's names of decoders; other codecs keep MOST_OF_OTHERS.
MOST_KEPT = {
    "h264": 16,
    "hevc": 16,
    "vvc": 16,
    "vp9": 8,
    "libvpx-vp9": 8,
    "av1": 8,
    "libdav1d": 8,
    "libaom-av1": 8,
}
MOST_OF_OTHERS = 3
PACKETS_READ = 32
# The fields of H.264, HEVC and VVC, by their names in FFmpeg's filter `trace_headers`.
STATED = re.compile(r"(max_num_ref_frames|max_dec_pic_buffering_minus1\[\d+\]).*= (\d+)\s*$")


def most_kept(codec: str) -> int:
    """Return the maximum number of pictures that a decoder keeps for any video of a codec.

    Args:
        codec: FFmpeg's name of the decoder.
    """
    return MOST_KEPT.get(codec, MOST_OF_OTHERS)


def stated_kept(container: Any, stream: Any) -> int | None:
    """Return the number of pictures that a decoder keeps, by a video's headers; None: unknown.

    Args:
        container: A file newly opened with PyAV; some of its packets are read.
        stream: Its video stream.
    """
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as said:
            headers = BitStreamFilterContext("trace_headers", stream)
            for packet in islice(container.demux(stream), PACKETS_READ):
                if packet.size:
                    headers.filter(packet)
    except (FFmpegError, ValueError):  # the filter does not know this codec
        pass
    finally:
        av.logging.set_level(level)
    found = [STATED.search(message) for _, _, message in said]
    return max((int(match[2]) for match in found if match), default=None)

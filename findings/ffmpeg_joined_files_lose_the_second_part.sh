#!/usr/bin/env bash
# Two recordings joined by `cat`: what FFmpeg reads of the second one depends on the container.
#
# Stream dumps and recorders make such files. Of Matroska and MPEG-TS, all frames are read. Of FLV,
# WMV (ASF) and WTV, reading ends after the first recording, without an error or a message. Of NUT it
# ends one packet later. Of MXF every packet is read, but all packets of the second recording carry
# one and the same time stamp, so that a program that takes frames by time loses them.
#
# What to do: after the last packet, look for the beginning of another file, and say where it is.
# Of MXF, count the packets that share a time stamp.
# Seen with: PyAV 18.1.0 (FFmpeg 8 inside), Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet av==18.1.0 numpy
"$work/env/bin/python" - "$work" <<'PY'
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

FRAMES, RATE = 50, 25
# Container: its codec here, packets that are read of 50 + 50, and distinct time stamps among them.
KINDS = {
    "flv": ("flv", 50, 50),
    "asf": ("wmv2", 50, 50),
    "wtv": ("mpeg2video", 50, 50),
    "nut": ("mpeg4", 51, 51),
    "mxf": ("mpeg2video", 100, 50),
}


def recording(path: Path, codec: str, grey: int) -> bytes:
    """Two seconds of one grey."""
    with av.open(str(path), "w", format=path.suffix[1:]) as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES):
            picture = np.full((48, 64, 3), grey, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path.read_bytes()


folder = Path(sys.argv[1])
print("PyAV", av.__version__)
for kind, (codec, packets, times) in KINDS.items():
    both = folder / f"both.{kind}"
    parts = [recording(folder / f"{grey}.{kind}", codec, grey) for grey in (50, 200)]
    both.write_bytes(b"".join(parts))
    with av.open(str(both)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    seen = len(stamps), len(set(stamps))
    print(f"{kind}: {seen[0]} of {2 * FRAMES} packets, {seen[1]} distinct times")
    assert seen == (packets, times), f"{kind} is read otherwise now"
PY
echo "as described"

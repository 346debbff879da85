#!/usr/bin/env bash
# PyAV 18.1.0: one piece of frame side data that PyAV has no name for hides all others.
#
# FFmpeg hands EXIF data over as side data of a frame. PyAV 18.1.0 is built with such an FFmpeg but
# has no member for it in `av.sidedata.sidedata.Type`. Not only reading that piece fails: len(),
# iteration and `.get("DISPLAYMATRIX")` all raise ValueError ("31 is not a valid Type"), so the
# rotation of an ordinary photograph-like frame cannot be read at all. PyAV 19.0.2 knows the type.
#
# What to do: catch ValueError around side data and take the rotation from `frame.rotation`, which
# does not go through the enumeration (but tells of no mirror).
# Seen with: PyAV 18.1.0, Linux, on motion JPEG whose frames carry an EXIF orientation.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet av==18.1.0 numpy
"$work/env/bin/python" - "$work/exif.avi" <<'PY'
import io
import struct
import sys

import av
import numpy as np

# One JPEG picture, made by PyAV, with an EXIF segment of a single entry: orientation 3 (upside down).
raw = io.BytesIO()
with av.open(raw, "w", format="mjpeg") as out:
    stream = out.add_stream("mjpeg", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
    picture = np.zeros((48, 64, 3), np.uint8)
    out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    out.mux(stream.encode())
jpeg = raw.getvalue()
entry = struct.pack("<HHII", 0x112, 3, 1, 3)
exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + b"\0\0\0\0"
segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
frames = io.BytesIO(b"".join(jpeg[:2] + segment + jpeg[2:] for _ in range(3)))

with av.open(frames, format="mjpeg") as container:
    frame = next(container.decode(video=0))
print("PyAV", av.__version__, "rotation:", frame.rotation)
calls = {
    "len": lambda: len(frame.side_data),
    "iteration": lambda: list(frame.side_data),
    "get": lambda: frame.side_data.get("DISPLAYMATRIX"),
}
for name, call in calls.items():
    try:
        seen = repr(call())
    except ValueError as error:
        seen = f"ValueError: {error}"
    print(f"{name}: {seen}")
    assert seen == "ValueError: 31 is not a valid Type", f"{name} behaves otherwise now"
assert abs(frame.rotation) == 180
PY
echo "as described"

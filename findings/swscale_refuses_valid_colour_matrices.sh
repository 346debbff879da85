#!/usr/bin/env bash
# FFmpeg's scaler refuses five matrix codes that the standard defines and decoders accept.
#
# A video stream names its YCbCr matrix by a code of ITU-T H.273. Codes 10 (BT.2020 constant
# luminance), 11 (SMPTE ST 2085), 12 and 13 (derived from the primaries) and 14 (ICtCp) are valid.
# The stream decodes without a complaint, but converting the frame to RGB raises OSError
# "Operation not supported" (ENOTSUP), an error of the operating system that points at no colour.
#
# What to do: give the frame a matrix that is near before it is converted, and say so.
# Seen with: PyAV 18.1.0 (FFmpeg inside), Linux, H.264.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet av==18.1.0 numpy
"$work/env/bin/python" - <<'PY'
import io

import av
import numpy as np


def coded(matrix: int) -> io.BytesIO:
    """A one-frame H.264 file in MP4 whose stream says this matrix."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = matrix
        planes = np.full((72, 64), 128, np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        out.mux(stream.encode())
    buffer.seek(0)
    return buffer


print("PyAV", av.__version__)
for matrix in (1, 5, 6, 9, 10, 11, 12, 13, 14):
    with av.open(coded(matrix)) as container:
        frame = next(container.decode(video=0))
    assert int(frame.colorspace) == matrix, "the decoder passes the code on"
    try:
        seen = f"converted, mean {frame.to_ndarray(format='rgb24').mean():.1f}"
    except OSError as error:
        seen = f"OSError {error.errno}: {error.strerror}"
    print(f"matrix {matrix}: {seen}")
    assert seen.startswith("OSError 95") == (matrix >= 10), f"matrix {matrix} behaves otherwise now"
PY
echo "as described"

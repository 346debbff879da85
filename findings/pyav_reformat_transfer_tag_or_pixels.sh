#!/usr/bin/env bash
# PyAV: reformat(dst_color_trc=…) only renames the transfer in 17.1, and changes the pixels from 18.1 on.
#
# The documentation of VideoFrame.reformat says, in all three versions, that dst_color_trc is a tag:
# no pixel is converted. In 17.1.0 that is so: a frame of HDR video (PQ) becomes a frame that says
# BT.709 and still holds PQ values, so whatever trusts the tag shows it flat and grey. In 18.1.0 and
# 19.0.2 the same call, with the same sentence in its documentation, converts the picture: here the
# brightest grey goes from 181 to 255. Code that "only corrects a wrong tag" damages pictures after an
# upgrade, and code that relies on the conversion silently loses it on 17.
#
# What to do: to change a tag alone, set frame.color_trc; to convert, check the version, or convert
# by hand. No error, warning or change of the signature tells the two apart.
# Seen with: PyAV 17.1.0 (tag alone), 18.1.0 and 19.0.2 (pixels), Linux, H.264 in MP4.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
new=""
for python in python3.14 python3.13 python3.12 python3; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && new=$python && break
done  # PyAV 19 needs Python 3.12

cat >"$work/try.py" <<'PY'
import io
import sys

import av
import numpy as np

PQ, BT2020, BT709 = 16, 9, 1
buffer = io.BytesIO()
with av.open(buffer, "w", format="mp4") as out:
    stream = out.add_stream("libx264", rate=5)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    stream.codec_context.color_trc = PQ
    stream.codec_context.color_primaries = stream.codec_context.colorspace = BT2020
    planes = np.full((72, 64), 128, np.uint8)
    planes[:48] = np.linspace(20, 220, 64).astype(np.uint8)  # a ramp of greys
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.color_trc, frame.color_primaries, frame.colorspace = PQ, BT2020, BT2020
    out.mux(stream.encode(frame))
    out.mux(stream.encode())
buffer.seek(0)
with av.open(buffer) as container:
    frame = next(container.decode(video=0))
assert int(frame.color_trc) == PQ

plain = frame.reformat(format="rgb24").to_ndarray()
told = frame.reformat(format="rgb24", dst_color_trc=BT709, dst_color_primaries=BT709)
assert int(told.color_trc) == BT709, "the frame says BT.709 in every version"
before, after = plain[10, ::16, 0], told.to_ndarray()[10, ::16, 0]
print("PyAV", av.__version__, "greys", before, "then", after)
converts = sys.argv[1] == "pixels"
assert (np.abs(before.astype(int) - after).max() > 50) == converts, "behaves otherwise now"
if not converts:
    assert (before == after).all()
PY

check() {  # PYTHON VERSION tag|pixels
    "$1" -m venv "$work/$2"
    "$work/$2/bin/python" -m pip install --quiet "av==$2" numpy
    "$work/$2/bin/python" "$work/try.py" "$3"
}
check python3 17.1.0 tag
check python3 18.1.0 pixels
if [ -n "$new" ]; then check "$new" 19.0.2 pixels; else echo "PyAV 19 not tried: no Python 3.12"; fi
echo "as described"

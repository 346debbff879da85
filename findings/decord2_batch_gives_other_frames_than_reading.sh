#!/usr/bin/env bash
# decord2 3.4.0: get_batch of every ninth frame gives other frames than reading the same file in order.
#
# decord2 is the maintained form of decord, and data loaders take their frames by get_batch. For ordinary
# H.264 in MP4 and Matroska, index n is the n-th frame either way. For HEVC in MP4, get_batch counts on from
# where a seek landed, and is three, four or five frames off from there on. In an MP4 that was cut without encoding (ffmpeg -c copy),
# len() counts the nine frames that the cut hides: reading in order gives the frames behind the cut, and the
# last one nine times over; get_batch gives the hidden ones too, so that the same index is nine frames apart.
# In AVI with B-frames nearly all indices are wrong by a key-frame distance, and the time stamps of all frames
# are -3.7e17. In a transport stream, the first frames are missing in both. No error, no warning.
#
# What to do: read in order and keep what is needed; for random access, another decoder, or first try a file
# of each kind whose frames show their numbers.
# Seen with: decord2 3.4.0, PyAV 18.1.0 to encode, imageio-ffmpeg 0.8.1 (FFmpeg 9.0) to cut, numpy 2.4.6,
# Python 3.11, Linux, x86-64.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet \
    decord2==3.4.0 av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
cat >"$work/make.py" <<'PY'
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

folder = Path(sys.argv[1])
X264 = {"bf": "2", "threads": "1"}
X265 = {"x265-params": "log-level=none:pools=none:frame-threads=1"}
for name, codec, options in (
    ("h264.mp4", "libx264", X264),
    ("h264.mkv", "libx264", X264),
    ("hevc.mp4", "libx265", X265),
    ("h264.avi", "libx264", X264),
    ("h264.ts", "libx264", X264),
    ("whole.mp4", "libx264", X264 | {"bf": "0", "sc_threshold": "0"}),
):
    with av.open(str(folder / name), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 128, "yuv420p"
        stream.codec_context.gop_size = 16 if name == "whole.mp4" else 20
        for number in range(100):  # each shows its number as eight black or white stripes
            bits = np.array([number >> bit & 1 for bit in range(8)], np.uint8)
            picture = np.tile(np.repeat(20 + 200 * bits, 20)[None, :, None], (128, 1, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
cut = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-ss", "1", "-i", folder / "whole.mp4"]
subprocess.run([*cut, "-c", "copy", folder / "cut.mp4"], check=True)
PY
cat >"$work/read.py" <<'PY'
import sys
from pathlib import Path

import decord
import numpy as np


def number_in(picture: np.ndarray) -> int:
    return sum(1 << bit for bit in range(8) if picture[64, 20 * bit + 10, 1] > 120)


def read(path: Path) -> tuple[list[int], dict[int, tuple[int, int]], float]:
    """Frames in order; of each ninth, where they differ, the one in order and get_batch's; last time."""
    reader = decord.VideoReader(str(path))
    ordered = [number_in(reader[index].asnumpy()) for index in range(len(reader))]
    reader = decord.VideoReader(str(path))
    indices = range(0, len(reader), 9)
    batch = [number_in(picture) for picture in reader.get_batch(list(indices)).asnumpy()]
    other = {n: (ordered[n], got) for n, got in zip(indices, batch) if got != ordered[n]}
    return ordered, other, float(reader.get_frame_timestamp(len(reader) - 1)[0])


print("decord2", decord.__version__, "- index: (frame in order, frame of get_batch) where they differ")
for name in ("h264.mp4", "h264.mkv", "hevc.mp4", "cut.mp4", "h264.avi", "h264.ts"):
    ordered, other, last = read(Path(sys.argv[1]) / name)
    print(f"{name}: {len(ordered)} frames from {ordered[0]} to {ordered[-1]}, {other}")
    if name in ("h264.mp4", "h264.mkv"):
        assert ordered == list(range(100)) and not other
        continue
    assert other, f"{name}: get_batch and reading in order agree now"
    if name == "hevc.mp4":
        assert ordered == list(range(100)) and all(3 <= abs(b - a) <= 5 for a, b in other.values())
    elif name == "cut.mp4":
        assert len(ordered) == 84 and ordered[:75] == list(range(25, 100))
        assert ordered[75:] == [99] * 9
        assert [a - b for n, (a, b) in other.items() if 16 <= n < 75] == [9] * 7
    elif name == "h264.avi":
        assert len(other) > 5 and last < -1e17
    else:
        assert ordered[0] > 0
PY
"$work/env/bin/python" "$work/make.py" "$work" 2>"$work/log" || { cat "$work/log"; exit 1; }
"$work/env/bin/python" "$work/read.py" "$work" 2>"$work/log" || { cat "$work/log"; exit 1; }
echo "as described"

#!/usr/bin/env bash
# imageio 2.38.1: imread(index=n) and the n-th frame of imiter are different pictures.
#
# Both plugins count as if every video began at 0 and kept one rate. With "pyav", index n is the time n / fps
# from 0 on. In a recording whose first frame is shown at 2 s (a part of a longer one), every index below 50
# gives the first frame, and index 99 the 50th; in a transport stream, the frame that a seek happens to land
# at. With "FFMPEG", ffmpeg repeats frames up to one constant rate before imageio counts: a film of 100
# frames, half of which last three times as long, comes as 198 or 199. Frame numbers from one plugin, from
# another library or from annotations then name other pictures. Nothing is said, and on an ordinary MP4 all
# agree.
#
# What to do: with "pyav", imopen and read(index=n, constant_framerate=False), which counts; or read frames
# in order (imiter); or take them by their times with PyAV.
# Seen with: imageio 2.38.1, imageio-ffmpeg 0.8.1, PyAV 18.1.0, numpy 2.4.6, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet \
    imageio==2.38.1 imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6
"$work/env/bin/python" - "$work" 2>"$work/log" <<'PY' || { cat "$work/log"; exit 1; }
import sys
from fractions import Fraction
from pathlib import Path

import av
import imageio
import imageio.v3 as iio
import numpy as np

EVEN = list(range(100))
UNEVEN = [number if number < 50 else 50 + 3 * (number - 50) for number in range(100)]
LATE = [50 + number for number in range(100)]


def film(name: str, times: list[int]) -> str:
    """100 frames at these times, in 1/25 s; each shows its number as eight black or white stripes."""
    path = str(Path(sys.argv[1]) / name)
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 128, "yuv420p"
        stream.codec_context.gop_size = 20
        for number, time in enumerate(times):
            bits = np.array([number >> bit & 1 for bit in range(8)], np.uint8)
            picture = np.tile(np.repeat(20 + 200 * bits, 20)[None, :, None], (128, 1, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def number_in(picture: np.ndarray) -> int:
    return sum(1 << bit for bit in range(8) if picture[64, 20 * bit + 10, 1] > 120)


def seen(path: str, plugin: str) -> tuple[int, dict[int, int]]:
    """How many frames imiter gives; and which frame imread gives for a few indices."""
    count = sum(1 for _ in iio.imiter(path, plugin=plugin))
    asked = (0, 30, 60, 90)
    if plugin == "pyav":
        with iio.imopen(path, "r", plugin=plugin) as film:
            counted = [film.read(index=n, constant_framerate=False) for n in asked]
        assert [number_in(picture) for picture in counted] == list(asked)
    return count, {n: number_in(iio.imread(path, plugin=plugin, index=n)) for n in asked}


RIGHT = {0: 0, 30: 30, 60: 60, 90: 90}
print("imageio", imageio.__version__, "- frames by imiter; imread's index: the frame that comes")
for name, times, plugin, count, frames in (
    ("even.mp4", EVEN, "pyav", 100, RIGHT),
    ("even.mp4", EVEN, "FFMPEG", 100, RIGHT),
    ("late.mp4", LATE, "pyav", 100, {0: 0, 30: 0, 60: 10, 90: 40}),
    ("late.mkv", LATE, "pyav", 100, {0: 0, 30: 0, 60: 10, 90: 40}),
    ("late.mp4", LATE, "FFMPEG", 100, RIGHT),
    ("even.ts", EVEN, "pyav", 100, None),
    ("uneven.mp4", UNEVEN, "FFMPEG", 198, None),
    ("uneven.mkv", UNEVEN, "FFMPEG", 199, None),
):
    found = seen(film(name, times), plugin)
    print(f"{name:10} {plugin:6} {found[0]} frames, {found[1]}")
    assert found[0] == count, f"{name} has another number of frames now"
    assert found[1] == frames if frames else found[1] != RIGHT, f"{name}: other frames come now"
PY
echo "as described"

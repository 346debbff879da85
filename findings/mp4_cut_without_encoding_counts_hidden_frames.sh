#!/usr/bin/env bash
# An MP4 cut with `ffmpeg -c copy` states more frames than any reader gives, and hides another part in each.
#
# A cut that is not at a key frame keeps the frames before it in the file and hides them by an edit list.
# PyAV's `stream.frames`, OpenCV's FRAME_COUNT, imageio's shape and PySceneDetect's duration count the hidden
# ones; decoding gives only those behind the cut. Here 84 are stated and 75 come: whoever spreads n frames
# evenly over the stated number asks for frames that are not there, and the length in seconds is 0.36 s too
# long in PySceneDetect and as frames / fps. In Matroska, which knows no edit list, the same command keeps
# the frames and shows them: 84, so that one cut at 1 s begins at 1.0 s in MP4 and at 0.64 s in Matroska,
# and frame 0 is another picture.
#
# What to do: count decoded frames, or the packets that are not marked "discard"; cut by encoding anew
# where the first frame matters.
# Seen with: imageio-ffmpeg 0.8.1 (FFmpeg 9.0) to cut; PyAV 18.1.0, opencv-python-headless 5.0.0.93,
# imageio 2.38.1, scenedetect 0.7.2 to read; numpy 2.4.6, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet imageio-ffmpeg==0.8.1 av==18.1.0 \
    opencv-python-headless==5.0.0.93 imageio==2.38.1 scenedetect==0.7.2 numpy==2.4.6
"$work/env/bin/python" - "$work" 2>"$work/log" <<'PY' || { cat "$work/log"; exit 1; }
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import scenedetect

work, RATE = Path(sys.argv[1]), 25
with av.open(str(work / "whole.mp4"), "w") as out:
    stream = out.add_stream("libx264", rate=RATE, options={"sc_threshold": "0", "bf": "0"})
    stream.width, stream.height, stream.pix_fmt = 160, 128, "yuv420p"
    stream.codec_context.gop_size = 16
    for number in range(100):
        bits = np.array([number >> bit & 1 for bit in range(8)], np.uint8)
        picture = np.tile(np.repeat(20 + 200 * bits, 20)[None, :, None], (128, 1, 3))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        out.mux(stream.encode(frame))
    out.mux(stream.encode())


def number_in(picture: np.ndarray) -> int:
    return sum(1 << bit for bit in range(8) if picture[64, 20 * bit + 10, 1] > 120)


def by_opencv(path: str) -> tuple[int, int, int]:
    source = cv2.VideoCapture(path)
    stated, numbers = int(source.get(cv2.CAP_PROP_FRAME_COUNT)), []
    while (read := source.read())[0]:
        numbers.append(number_in(read[1]))
    return stated, len(numbers), numbers[0]


def by_pyav(path: str) -> tuple[int, int, int]:
    with av.open(path) as source:
        stated = source.streams.video[0].frames
        numbers = [number_in(f.to_ndarray(format="rgb24")) for f in source.decode(video=0)]
    return stated, len(numbers), numbers[0]


def by_imageio(path: str) -> tuple[int, int, int]:
    numbers = [number_in(picture) for picture in iio.imiter(path, plugin="pyav")]
    return iio.improps(path, plugin="pyav").shape[0], len(numbers), numbers[0]


def by_scenedetect(path: str) -> tuple[int, int, int]:
    video, numbers = scenedetect.open_video(path, backend="pyav"), []
    while (picture := video.read()) is not False:
        numbers.append(number_in(picture))
    return round(video.duration.seconds * RATE), len(numbers), numbers[0]


print("PyAV", av.__version__, "OpenCV", cv2.__version__, "scenedetect", scenedetect.__version__)
for suffix, frames, first in (("mp4", 75, 25), ("mkv", 84, 16)):
    path = str(work / f"cut.{suffix}")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-ss", "1", "-i", work / "whole.mp4"]
    subprocess.run([*command, "-c", "copy", path], check=True)
    for reader in (by_pyav, by_opencv, by_imageio, by_scenedetect):
        found = reader(path)
        print(f"{suffix} {reader.__name__:15} stated {found[0]}, read {found[1]}, the first is {found[2]}")
        assert found[1:] == (frames, first), "other frames are read now"
        assert found[0] == 84 or (suffix, found[0]) == ("mkv", 0), "another number is stated now"
PY
echo "as described"

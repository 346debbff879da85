#!/usr/bin/env bash
# FFmpeg's "backward" seek lands after the asked time: in transport streams always, in MP4 with B-frames too.
#
# PyAV's `container.seek(t, stream=s, backward=True)` (the default; AVSEEK_FLAG_BACKWARD) is documented to
# stop at the key frame before the time, so that one decodes forward until the frame at t comes. Of each
# file's 100 frames, the time of every one is asked for in turn. Matroska (H.264), WebM and WMV land before
# it each time. MPEG-TS lands between key frames, so that the first picture comes up to 21 frames too late,
# and near the end none comes at all. MPEG-PS is alike. MP4 with HEVC, AVI, FLV and fragmented MP4 compare t
# with decoding times: for the last frames before each key frame they land at that key frame. Only H.264 in
# an ordinary MP4, on which such code is tested, does not show it here. Nothing is said.
#
# What to do: compare the time of the first decoded frame with t; where it is later, seek again further back.
# Seen with: PyAV 18.1.0 (FFmpeg inside), numpy 2.2.6, Python 3.11, Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in python3.13 python3.12 python3.11 python3; do
    "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break
done

"$python" -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet av==18.1.0 numpy==2.2.6
"$work/env/bin/python" - "$work" 2>"$work/log" <<'PY' || { cat "$work/log"; exit 1; }
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

av.logging.set_level(av.logging.PANIC)
FRAMES, RATE = 100, 25
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
X265 = {"x265-params": "log-level=none:pools=none:frame-threads=1"}


def recording(name: str, codec: str, form: str, options: dict, container: dict) -> Path:
    """Four seconds, a key frame at least every 20 frames, B-frames where the encoder has them."""
    path = Path(sys.argv[1]) / name
    with av.open(str(path), "w", format=form, options=container) as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 160, 128, "yuv420p"
        stream.codec_context.gop_size, stream.options = 20, options
        if codec == "mpeg2video":
            stream.codec_context.max_b_frames = 2
        for number in range(FRAMES):
            picture = np.full((128, 160, 3), 40 + number, np.uint8)
            picture[:, number : number + 40] = 200
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def landings(path: Path) -> tuple[int, int, int]:
    """Seeks that land after the asked time, the worst in frames, and seeks after which no frame comes."""
    late = none = worst = 0
    with av.open(str(path)) as container:
        times = [frame.pts for frame in container.decode(video=0)]
    assert len(times) == FRAMES
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame_ticks = 1 / (RATE * stream.time_base)
        for asked in times:
            container.seek(asked, stream=stream, backward=True)
            first = next(container.decode(stream), None)
            if first is None:
                none += 1
            elif first.pts > asked:
                late += 1
                worst = max(worst, round((first.pts - asked) / frame_ticks))
    return late, worst, none


CASES = [  # name, codec, container, options of both; does it land late, does it land behind the end?
    ("h264.mp4", "libx264", "mp4", {"bf": "2"}, {}, False, False),
    ("h264.mkv", "libx264", "matroska", {"bf": "2"}, {}, False, False),
    ("vp9.webm", "libvpx-vp9", "webm", {"cpu-used": "8"}, {}, False, False),
    ("film.wmv", "wmv2", "asf", {}, {}, False, False),
    ("hevc.mp4", "libx265", "mp4", X265, {}, True, False),
    ("fragmented.mp4", "libx264", "mp4", {"bf": "2"}, FRAGMENTED, True, False),
    ("h264.avi", "libx264", "avi", {"bf": "2"}, {}, True, False),
    ("h264.flv", "libx264", "flv", {"bf": "2"}, {}, True, None),
    ("h264.ts", "libx264", "mpegts", {"bf": "2"}, {}, True, True),
    ("mpeg2.ts", "mpeg2video", "mpegts", {}, {}, True, True),
    ("mpeg2.mpg", "mpeg2video", "mpeg", {}, {}, True, True),
]
print("PyAV", av.__version__, "- of 100 seeks, one to the time of each frame:")
for name, codec, form, options, container, is_late, is_behind in CASES:
    late, worst, none = landings(recording(name, codec, form, options, container))
    print(f"{name:15} {late:3} land after it (by up to {worst} frames), {none:2} give no frame")
    assert (late > 0) == is_late, f"{name} lands elsewhere now"
    assert is_behind is None or (none > 0) == is_behind, f"{name} ends elsewhere now"
    assert not name.endswith("ts") or late + none == FRAMES
PY
echo "as described"

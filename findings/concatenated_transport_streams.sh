#!/usr/bin/env bash
# Two transport streams joined by `cat`: the file says half of its length, or days.
#
# MPEG transport streams are made to be joined end to end, and recorders do so. Where the second
# part starts its clock again, FFmpeg (through PyAV) states a duration that is that of one part, and
# the frames of both carry the same time stamps, so that a player's seek and a program that picks
# frames by time see two pictures at each time. Where the first part's clock stood 500 s further,
# the stated duration is more than a day: the fall is taken for a wrap-around of the 33-bit clock.
#
# What to do: read all packets; where decoding times fall back, go on from the last frame's end.
# Seen with: PyAV 18.1.0 (FFmpeg inside), Linux.
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

FRAMES, RATE = 125, 25


def part(path: Path, grey: int, offset: str = "0") -> bytes:
    """Five seconds of one grey as a transport stream."""
    with av.open(str(path), "w", format="mpegts", options={"output_ts_offset": offset}) as out:
        stream = out.add_stream("mpeg2video", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(FRAMES):
            picture = np.full((120, 160, 3), grey, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path.read_bytes()


def seen(path: Path) -> tuple[float, int, int]:
    """Stated duration in seconds, frames that decode, and distinct time stamps among them."""
    with av.open(str(path)) as container:
        stated = container.duration / av.time_base
        stamps = [frame.pts for frame in container.decode(video=0)]
    return stated, len(stamps), len(set(stamps))


folder = Path(sys.argv[1])
plain, far = folder / "plain.ts", folder / "far.ts"
second = part(folder / "b.ts", 200)
plain.write_bytes(part(folder / "a.ts", 50) + second)
far.write_bytes(part(folder / "c.ts", 50, "500") + second)
print("PyAV", av.__version__)
for name, path in (("both clocks from 0", plain), ("the first from 500 s", far)):
    stated, frames, distinct = seen(path)
    print(f"{name}: {stated:.1f} s stated, {frames} frames ({frames / RATE:.0f} s), {distinct} times")
stated, frames, distinct = seen(plain)
assert 4 < stated < 6 and frames > 240 and distinct < 130, "the joined file is described rightly now"
assert seen(far)[0] > 86_400, "the far clock is no longer taken for a wrap-around"
PY
echo "as described"

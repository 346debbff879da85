#!/usr/bin/env bash
# FFmpeg's scale filter: the first HDR frame costs seconds of CPU, whatever its size.
#
# `scale=out_transfer=bt709:out_primaries=bt709` converts HDR (PQ, BT.2020) to BT.709 since FFmpeg 8.
# The first frame builds a table of colours, which took 2.7 s for 160 × 96 pixels and as long for 640
# × 384; each later frame took at most 6 ms. The table belongs to the filter graph, so a program that
# makes a graph per video, or per part of a video, pays again each time: a picture of an HDR video
# takes seconds where one of an SDR video takes a millisecond. `intent=saturation` builds the table
# more than ten times faster, and has other colours.
#
# What to do: keep one graph for all frames of one kind; make few pictures of HDR videos.
# Seen with: PyAV 18.1.0 (libswscale 9 inside), Linux. Times differ; the ratio is what is checked.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet av==18.1.0 numpy
"$work/env/bin/python" - <<'PY'
import sys
import time
from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame

PQ, BT2020, BT2020_NCL = 16, 9, 9
TICK = Fraction(1, 25)


def frames(width: int, height: int, count: int) -> list[VideoFrame]:
    """Grey frames that say that they are HDR."""
    made = []
    for number in range(count):
        grey = np.full((height, width, 3), 60 + 10 * number, np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p10le")
        frame.color_trc, frame.color_primaries, frame.colorspace = PQ, BT2020, BT2020_NCL
        frame.pts, frame.time_base = number, TICK
        made.append(frame)
    return made


def seconds(width: int, height: int, options: str) -> list[float]:
    """CPU seconds of each of four frames through a new graph."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format="yuv420p10le", time_base=TICK)
    chain = [source, graph.add("scale", options), graph.add("format", "rgb24")]
    chain.append(graph.add("buffersink"))
    for before, after in zip(chain, chain[1:]):
        before.link_to(after)
    graph.configure()
    taken = []
    for frame in frames(width, height, 4):
        begin = time.process_time()
        source.push(frame)
        chain[-1].pull()
        taken.append(time.process_time() - begin)
    return taken


HDR = "out_transfer=bt709:out_primaries=bt709"
small, again, large = seconds(160, 96, HDR), seconds(160, 96, HDR), seconds(640, 384, HDR)
saturation = seconds(160, 96, f"{HDR}:intent=saturation")
for name, taken in {
    "160 x 96": small,
    "160 x 96, a second graph": again,
    "640 x 384": large,
    "160 x 96, intent=saturation": saturation,
}.items():
    print(f"{name:28} first {taken[0]:.3f} s, later at most {max(taken[1:]):.4f} s")
same = all(taken[0] > 50 * max(taken[1:]) for taken in (small, again, large))
same &= large[0] < 2 * small[0] and again[0] > small[0] / 2
same &= saturation[0] < small[0] / 5
print("as seen" if same else "CHANGED")
sys.exit(not same)
PY

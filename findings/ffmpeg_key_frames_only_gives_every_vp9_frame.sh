#!/usr/bin/env bash
# FFmpeg's decoders asked for key frames only: VP9 gives every frame, and some never mark one.
#
# `skip_frame = "NONKEY"` (ffmpeg's `-skip_frame nokey`) is the usual way to look at a video quickly.
# Whether it does anything is up to each decoder. H.264, HEVC, VP8 and AV1 obey. The VP9 decoder
# ignores it, even for "ALL", and says nothing: it decodes and returns all frames, so that the quick
# look takes as long as the whole. FFV1 ignores "NONKEY"; QuickTime Animation ignores both.
#
# The marks differ too. Of H.263 in AVI each packet is marked as a key frame, although 4 of 60 frames
# are. Of QuickTime Animation and CineForm no decoded frame is marked, although packets are.
#
# What to do: choose by the mark of the packet before decoding, and decode only those; for H.263
# look at the mark of the frame after decoding as well.
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

av.logging.set_level(av.logging.PANIC)
FRAMES, RATE, GOP = 60, 25, 20

# codec: container, pixel format, then as seen: packets marked as key frames; frames returned for
# NONKEY; frames returned for ALL ("skip everything"); frames marked as key frames of all 60
SEEN = {
    "libx264": ("mp4", "yuv420p", 3, 3, 0, 3),
    "libvpx": ("webm", "yuv420p", None, "keys", 0, "keys"),
    "libvpx-vp9": ("webm", "yuv420p", 3, 60, 60, 3),
    "ffv1": ("mkv", "yuv420p", 3, 60, 0, 3),
    "h263p": ("avi", "yuv420p", 60, 4, 0, 4),
    "qtrle": ("mov", "rgb24", 3, 60, 60, 0),
    "cfhd": ("mov", "yuv422p10le", 60, 60, 60, 0),
}


def made(codec: str, container: str, pixels: str) -> Path:
    path = Path(sys.argv[1]) / f"{codec}.{container}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 160, 128, pixels
        stream.codec_context.gop_size = GOP
        if codec == "libx264":
            stream.options = {"sc_threshold": "0"}
        for number in range(FRAMES):
            grey = np.full((128, 160, 3), 40 + number, np.uint8)
            grey[:, : 2 * number] = 200
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def marked_packets(path: Path) -> int:
    with av.open(str(path)) as source:
        return sum(packet.is_keyframe for packet in source.demux(video=0) if packet.size)


def frames(path: Path, skip: str) -> list[bool]:
    """For each frame that the decoder returns: is it marked as a key frame?"""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        stream.codec_context.skip_frame = skip
        return [bool(frame.key_frame) for frame in source.decode(stream)]


same = True
for codec, (container, pixels, *expected) in SEEN.items():
    path = made(codec, container, pixels)
    whole = frames(path, "DEFAULT")
    assert len(whole) == FRAMES, (codec, len(whole))
    found = [
        marked_packets(path),
        len(frames(path, "NONKEY")),
        len(frames(path, "ALL")),
        sum(whole),
    ]
    if codec == "libvpx":  # where its encoder places key frames is not what this is about
        same &= found[1] == found[0] == found[3] < FRAMES and found[2] == 0
    else:
        same &= found == expected
    print(
        f"{codec:11} {found[0]:2} packets marked, NONKEY gives {found[1]:2} frames,"
        f" ALL gives {found[2]:2}, {found[3]:2} of 60 frames marked"
    )
print("as seen" if same else "CHANGED")
sys.exit(not same)
PY
